use std::fs;

use crate::support::{Studio, noise, run, text, tree};

#[test]
fn unchanged_files_are_not_stored_twice_and_the_report_says_what_it_costs() {
    let studio = Studio::new();
    let first = studio.publish("1.0");
    assert_eq!(first.content_files_new, 5);
    assert_eq!(first.content_bytes_new, studio.content_bytes());
    assert_eq!(first.fresh_download_bytes, studio.content_bytes());
    assert_eq!(first.updates, []);
    assert!(first.warnings.is_empty());

    studio.write("data/text.pak", &text(9, 300_000));
    fs::rename(studio.build().join("extra/song.ogg"), studio.build().join("extra/theme.ogg")).unwrap();
    let second = studio.publish("1.1");
    assert_eq!(second.content_files_new, 1);
    let payload = studio.channel().patches[0].payload_bytes;
    let stored = studio.content_bytes() - first.content_bytes_new - second.content_bytes_new;
    assert!(
        stored >= payload && stored < payload + payload / 100 + 100,
        "{stored} for a payload of {payload}"
    );
    assert_eq!(second.updates.len(), 1);
    let update = &second.updates[0];
    assert_eq!(update.from.as_str(), "1.0");
    assert_eq!(update.changed_bytes, 300_000, "a file that only moved costs nothing");
    assert_eq!(update.blocks_bytes, second.content_bytes_new);
    assert!(update.download_bytes < update.blocks_bytes, "a patch is compressed better");
    assert!(update.download_bytes < 200_000, "text is compressed: {}", update.download_bytes);
    assert_eq!(studio.channel().previous, ["1.0".parse().unwrap()]);
    assert_eq!(studio.channel().sequence, 2);
    let said = studio.channel().downloads.unwrap();
    assert_eq!(said.fresh_bytes, second.fresh_download_bytes);
    assert_eq!(said.from.into_iter().collect::<Vec<_>>(), [("1.0".parse().unwrap(), update.download_bytes)]);

    studio.publish("1.2");
    studio.publish("1.3");
    let versions: Vec<_> =
        studio.publish("1.4").updates.iter().map(|update| update.from.to_string()).collect();
    assert_eq!(versions, ["1.3", "1.2"], "as many as keep says");
}

#[test]
fn what_does_not_compress_is_stored_at_its_size() {
    let studio = Studio::new();
    let before = studio.publish("1.0").content_bytes_new;
    studio.write("data/more.pak", &noise(5, 1_000_000));
    let more = studio.publish("1.1").content_bytes_new;
    assert!(before > 300_000 && more > 1_000_000);
    assert!(more < 1_001_500, "62 frames and their table: {more}");
}

#[test]
fn dry_run_tells_the_same_and_writes_nothing() {
    let studio = Studio::new();
    for version in ["1.0", "1.1"] {
        studio.write("data/text.pak", &text(version.len() as u64 + u64::from(version == "1.1"), 300_000));
        let before = tree(&studio.outside("."));
        let mut request = studio.request(version);
        request.dry_run = true;
        request.plain = true;
        let mut dry = run(&request).unwrap();
        assert!(tree(&studio.outside(".")) == before, "{version}");
        request.dry_run = false;
        let real = run(&request).unwrap();
        assert!(dry.dry_run && !real.dry_run);
        dry.dry_run = false;
        dry.seconds = real.seconds;
        for (dry, real) in dry.updates.iter_mut().zip(&real.updates) {
            dry.patch_cpu_seconds = real.patch_cpu_seconds;
        }
        assert_eq!(dry, real);
    }
}

#[test]
fn progress_reaches_its_total() {
    let studio = Studio::new();
    let mut last = Vec::new();
    publisher::publish(&studio.request("1.0"), &mut |progress| last.push(progress)).unwrap();
    let ends: Vec<_> = last.chunk_by(|a, b| a.phase == b.phase).map(|phase| phase[phase.len() - 1]).collect();
    assert_eq!(ends.len(), 3, "hashed, compressed, compared");
    assert!(
        ends.iter().all(|end| end.done_bytes == end.total_bytes && end.total_bytes > 600_000),
        "{ends:?}"
    );
}

//! Habits of a build that cost players bytes, and the picture of where the bytes go.

use std::fs;

use publisher::Habit;

use crate::support::{Studio, noise, run, text, tree};

fn png(stamp: &[u8], pixels: &[u8]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &b"64 by 64"[..]), (b"tEXt", stamp), (b"IDAT", pixels), (b"IEND", b"")] {
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(data);
        file.extend([0; 4]);
    }
    file
}

/// A pack of members in this order.
fn pack(order: impl Iterator<Item = u64>) -> Vec<u8> {
    order.flat_map(|member| text(100 + member, 60_000)).collect()
}

#[test]
fn restamped_pictures_and_shuffled_packs_are_named_with_what_they_cost() {
    let studio = Studio::new();
    for n in 0..9 {
        studio.write(&format!("art/{n}.png"), &png(b"monday", &noise(n, 20_000)));
    }
    let mut program = [&b"\x7fELF"[..], &text(7, 200_000)].concat();
    studio.write("bin/engine", &program);
    studio.write("data/world.pak", &pack(0..30));
    let first = studio.publish("1.0");
    assert!(first.findings.is_empty(), "nothing to compare with: {:?}", first.findings);

    for n in 0..8 {
        studio.write(&format!("art/{n}.png"), &png(b"tuesday afternoon", &noise(n, 20_000)));
    }
    studio.write("art/8.png", &png(b"monday", &noise(88, 20_000)));
    program[100..120].copy_from_slice(&[b'#'; 20]);
    studio.write("bin/engine", &program);
    studio.write("data/world.pak", &pack((0..30).map(|n| n * 7 % 30)));
    let second = studio.publish("1.1");
    let found: Vec<_> = second.findings.iter().map(|finding| (finding.code, finding.files)).collect();
    assert_eq!(
        found,
        [(Habit::RestampedMedia, 8), (Habit::RestampedProgram, 1), (Habit::PackOrder, 1)],
        "what was drawn anew is no stamp"
    );
    let media = &second.findings[0];
    assert!(media.blocks_bytes > 8 * 20_000 && media.blocks_bytes < 9 * 20_100, "{media:?}");
    assert!(media.patch_bytes.unwrap() < 20_000, "a patch carries stamps only: {media:?}");
    assert_eq!(media.examples.len(), 5);
    assert_eq!(second.findings[2].examples, ["data/world.pak".parse().unwrap()]);
}

#[test]
fn a_pack_that_is_compressed_inside_is_named_from_the_first_release_on() {
    let studio = Studio::new();
    let inside = |seed| zstd::bulk::compress(&noise(seed, 1_500_000), 1).unwrap();
    studio.write("data/levels.pack", &inside(1));
    studio.write("video/intro.webm", &[&b"\x1aE\xdf\xa3"[..], &noise(2, 1_500_000)].concat());
    for (version, seed) in [("1.0", 1), ("1.1", 3)] {
        studio.write("data/levels.pack", &inside(seed));
        let report = studio.publish(version);
        assert_eq!(report.findings.len(), 1, "a video is compressed by nature: {:?}", report.findings);
        assert_eq!(report.findings[0].code, Habit::CompressedPack);
        assert!(report.findings[0].blocks_bytes >= 1_500_000);
        assert_eq!(report.findings[0].patch_bytes, None, "no patch is worth its bytes");
    }
    assert!(studio.publish("1.2").findings.is_empty(), "nothing changed");
}

#[test]
fn the_picture_shows_every_way_and_escapes_names() {
    let studio = Studio::new();
    studio.write("R&D/a'quote.txt", &text(1, 50_000));
    studio.write("data/large.pak", &noise(76, 1_100_000));
    let picture = |version: &str| {
        let path = studio.outside("update.svg");
        let before = tree(&studio.repo());
        run(&publisher::PublishRequest {
            picture: Some(path.clone()),
            dry_run: true,
            ..studio.request(version)
        })
        .unwrap();
        assert_eq!(tree(&studio.repo()), before, "a dry run writes the picture and nothing else");
        fs::read_to_string(path).unwrap()
    };
    let first = picture("1.0");
    assert!(first.contains("Ember Fall 1.0:") && first.contains("to install"));
    assert!(first.contains("R&amp;D/a'quote.txt"), "names are escaped");
    assert!(!first.contains("class=\"patch\""));

    studio.publish("1.0");
    studio.write(
        "R&D/a'quote.txt",
        &[text(1, 25_000), text(5, 9), text(1, 50_000)[25_000..].to_vec()].concat(),
    );
    studio.write("data/large.pak", &noise(77, 1_100_000));
    studio.write("data/new.pak", &noise(78, 1_100_000));
    let second = picture("1.1");
    assert!(second.contains("Ember Fall 1.0 → 1.1:") && second.contains("to download"));
    for class in ["patch", "blocks", "new"] {
        assert!(second.contains(&format!("<rect class=\"{class}\"")), "{class}");
    }
    assert!(!second.contains("song.ogg"), "what did not change costs nothing");
    assert_eq!(second.matches("<svg").count(), second.matches("</svg>").count());
    assert_eq!(second.matches("<rect").count() - 1, second.matches("</rect>").count(), "one is the ground");
}

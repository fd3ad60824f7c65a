//! F13: what web servers answer to a request for a range: status, headers, seek table and frames.
//!
//! Promised: an answer is taken only if it is the range that was asked for, or a whole file near enough to its front; nothing
//! a head says makes us read or hold more than that.

use crate::input::Input;
use engine::fuzzing::{self, Taken};

const NAMES: [&str; 6] =
    ["content-range", "content-length", "content-type", "content-encoding", "retry-after", "date"];
/// Bytes thrown away at most to reach a range.
const SKIP_MAX: u64 = 1 << 20;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    if input.byte() & 1 == 0 { head(&mut input) } else { table(&mut input) }
}

fn head(input: &mut Input<'_>) {
    let status = [200, 206, 206, 206, 404, 416, 503, 302][usize::from(input.byte() % 8)];
    let (start, length) = (u64::from(input.word()), u64::from(input.word() % (1 << 22)) + 1);
    let known = input.byte();
    let total = (known & 1 == 1).then(|| start + length + u64::from(known));
    let mut headers = Vec::new();
    while !input.is_empty() && headers.len() < 16 {
        let name = NAMES[usize::from(input.byte()) % NAMES.len()];
        let text = usize::from(input.byte());
        headers.push((name, input.bytes(text)));
    }
    let asked = start..start + length;
    match fuzzing::origin_head(status, &headers, &asked, total) {
        Ok(Taken { skip, take, waste }) => {
            assert!(matches!(status, 200 | 206));
            assert_eq!(take, Some(length), "just what was asked for is taken");
            assert!(skip <= SKIP_MAX && (skip == 0 || skip == start), "{skip}");
            assert!(waste <= 2 * SKIP_MAX, "{waste}");
        }
        Err(retry_after) => assert!(retry_after.is_none_or(|wait| wait.as_secs() <= 3600)),
    }
}

/// A seek table and frames that a mirror sends for a file of a known length.
fn table(input: &mut Input<'_>) {
    let file = u64::from(input.word()) % (1 << 26) + 1;
    let (start, length) = (u64::from(input.word()) % file, u64::from(input.word()) % (1 << 22));
    let Some(covering) = fuzzing::seek_table(input.rest(), file, start, length.min(file - start)) else {
        return;
    };
    let plain: u64 = covering.frames.iter().map(|frame| u64::from(frame.decompressed)).sum();
    let frames = covering.frames.len() as u64;
    assert!(frames <= plain, "a frame without content costs and gives nothing");
    assert!(covering.compressed_length <= plain + plain / 8 + frames * 65_536);
}

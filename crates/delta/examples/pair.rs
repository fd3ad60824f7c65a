//! Sizes and CPU seconds of every method for pairs of files: `pair OLD NEW [OLD NEW …] [only METHOD]`.

use std::time::Instant;

use delta::{Effort, Method};

#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring tool"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = (arguments.len() % 2 == 1).then(|| arguments.pop()).flatten();
    for pair in arguments.chunks_exact(2) {
        let (old, new) = (std::fs::read(&pair[0])?, std::fs::read(&pair[1])?);
        println!("{} {} -> {}", pair[1], old.len(), new.len());
        for number in 0..=u8::MAX {
            let Ok(method) = Method::try_from(number) else { break };
            if only.as_ref().is_some_and(|only| *only != format!("{method:?}")) {
                continue;
            }
            let start = Instant::now();
            let Ok(payload) = delta::encode(method, &old, &new, Effort::Full) else { continue };
            let encoded = start.elapsed().as_secs_f64();
            let start = Instant::now();
            let back = delta::decode(method, &old, &payload, new.len())?;
            let decoded = start.elapsed().as_secs_f64();
            assert!(back == new, "{method:?} does not give the new bytes back");
            println!("  {method:?} {} bytes, encode {encoded:.2} s, decode {decoded:.3} s", payload.len());
        }
    }
    Ok(())
}

//! Sizes and CPU seconds of every method for pairs of files: `pair OLD NEW [OLD NEW …] [METHOD]`.
//!
//! `DECODES=n` decodes n times and shows the fastest.

use delta::{Effort, Method};

#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measuring tool")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = (arguments.len() % 2 == 1).then(|| arguments.pop()).flatten();
    let decodes = std::env::var("DECODES").ok().and_then(|count| count.parse().ok()).unwrap_or(1);
    for pair in arguments.chunks_exact(2) {
        let (old, new) = (std::fs::read(&pair[0])?, std::fs::read(&pair[1])?);
        println!("{} {} -> {}", pair[1], old.len(), new.len());
        for number in 0..=u8::MAX {
            let Ok(method) = Method::try_from(number) else { break };
            if only.as_ref().is_some_and(|only| *only != format!("{method:?}")) {
                continue;
            }
            let start = cpu_seconds();
            let payload = match delta::encode(method, &old, &new, Effort::Full) {
                Ok(payload) => payload,
                Err(error) => {
                    println!("  {method:?} {error}");
                    continue;
                }
            };
            let encoded = cpu_seconds() - start;
            let mut decoded = f64::INFINITY;
            for _ in 0..decodes {
                let start = cpu_seconds();
                let back = delta::decode(method, &old, &payload, new.len())?;
                decoded = decoded.min(cpu_seconds() - start);
                assert!(back == new, "{method:?} does not give the new bytes back");
            }
            let each = decoded * 1e9 / new.len() as f64;
            println!(
                "  {method:?} {} bytes, encode {encoded:.2} s, decode {:.1} ms, {each:.1} ms/MB",
                payload.len(),
                decoded * 1e3
            );
        }
    }
    Ok(())
}

/// What this thread has used of a processor, where the system says so in a file.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

//! Makes the build folder of a release: `demo-assets --version 1.0 --game-bin PATH --out DIR`.

use std::process::ExitCode;

use demo_game::assets::{Build, build};

fn main() -> ExitCode {
    let parsed = parse(std::env::args().skip(1));
    let result = match &parsed {
        Ok(order) => build(order).map_err(|error| error.to_string()),
        Err(message) => Err(message.clone()),
    };
    if let Err(message) = result {
        eprintln!("demo-assets: {message}");
        return if parsed.is_ok() { ExitCode::FAILURE } else { ExitCode::from(2) };
    }
    ExitCode::SUCCESS
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Build, String> {
    let (mut version, mut program, mut out) = (None, None, None);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        match word.as_str() {
            "--version" => version = Some(value),
            "--game-bin" => program = Some(value.into()),
            "--out" => out = Some(value.into()),
            other => return Err(format!("unknown argument {other}")),
        }
    }
    let usage = "usage: demo-assets --version V --game-bin PATH --out DIR";
    Ok(Build { version: version.ok_or(usage)?, program: Some(program.ok_or(usage)?), out: out.ok_or(usage)? })
}

//! `muster brand check DIR`: whether launchers take a brand folder, and what players could not read or see in it.

use crate::{Context, Done, error::CliError, exit};
use brand::{
    Brand, BrandError,
    check::{self, Finding, Severity},
};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// What can be done with a brand.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say what is missing, cannot be read, or is broken
    Check(Check),
}

/// Words of `brand check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The brand folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<Done, CliError> {
        match self {
            Self::Check(check) => check.run(context),
        }
    }
}

impl Check {
    fn run(self, context: &Context) -> Result<Done, CliError> {
        let brand = Brand::read(|name, limit| read(&self.dir, name, limit))
            .map_err(|error| CliError::new(error.code(), error.to_string()))?;
        let findings = check::findings(&brand);
        for finding in &findings {
            context.output.event("finding", json!(finding));
            context.output.say(line(finding));
        }
        let bad = findings.iter().any(|finding| finding.severity == Severity::Bad);
        if !bad {
            context.output.say(format!("{} ({}) can be shipped", brand.config.name, brand.config.id));
        }
        let fields = Map::from_iter([
            ("brand".to_owned(), json!(brand.config.id)),
            ("findings".to_owned(), Value::from(findings.len())),
            ("bad".to_owned(), json!(bad)),
        ]);
        Ok(Done { fields, exit: if bad { exit::SOMETHING_BAD } else { 0 } })
    }
}

fn line(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Note => "note",
        Severity::Bad => "bad ",
    };
    format!("{severity} {} [{}]", finding.message, finding.code)
}

/// A file of the folder; one that is longer than its bound is none that a launcher would take.
fn read(dir: &Path, name: &str, limit: u64) -> brand::Found {
    let path = dir.join(name);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(BrandError::Read { path, source }),
    };
    let mut bytes = Vec::new();
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    let read = read.and_then(|length| match length as u64 > limit {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("over {limit} bytes"))),
        false => Ok(()),
    });
    read.map_err(|source| BrandError::Read { path, source })?;
    Ok(Some(Cow::Owned(bytes)))
}

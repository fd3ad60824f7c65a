//! Named steps with their times, and the table of them at the end.

use crate::failure::Failure;
use std::time::{Duration, Instant};

/// The steps of one run.
pub(crate) struct Steps {
    started: Instant,
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), done: Vec::new() }
    }

    /// Runs one step; a failure names it and prints the times so far.
    pub(crate) fn run(
        &mut self,
        name: &str,
        step: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        println!("\n── {name}");
        let started = Instant::now();
        let result = step();
        let took = started.elapsed();
        self.done.push((name.to_owned(), took));
        match result {
            Ok(()) => println!("── {name}: {:.1} s", took.as_secs_f64()),
            Err(source) => {
                self.table();
                return Err(Failure::Step { name: name.to_owned(), source: Box::new(source) });
            }
        }
        Ok(())
    }

    /// Prints the times of all steps.
    pub(crate) fn table(&self) {
        println!("\n{:<28}{:>9}", "step", "seconds");
        for (name, took) in &self.done {
            println!("{name:<28}{:>9.1}", took.as_secs_f64());
        }
        println!("{:<28}{:>9.1}", "together", self.started.elapsed().as_secs_f64());
    }
}

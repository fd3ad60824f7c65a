//! The table that is printed and written.

/// One figure.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) value: String,
    pub(crate) beside: String,
}

impl Row {
    /// A figure without anything beside it.
    pub(crate) fn new(what: impl Into<String>, value: impl Into<String>) -> Self {
        Self { what: what.into(), value: value.into(), beside: String::new() }
    }

    /// The same figure of another program, or another explanation.
    pub(crate) fn beside(mut self, beside: impl Into<String>) -> Self {
        self.beside = beside.into();
        self
    }
}

/// The page.
pub(crate) fn render(machine: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "# Figures\n\nMeasured by `cargo xtask bench` on: {machine}. Release builds, loopback, payload on a RAM disk.\n\
         The swarm beside other clients: `bench-swarm.md`.\n\n\
         | figure | value | beside it |\n|---|---|---|\n"
    );
    for Row { what, value, beside } in rows {
        text.push_str(&format!("| {what} | {value} | {beside} |\n"));
    }
    text
}

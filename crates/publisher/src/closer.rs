//! A closer look at what was built: which files the bytes of an update go to, and which habits of the build cost some.

use std::collections::BTreeMap;

use release::hash::Hash32;
use release::id::Version;
use release::manifest::Manifest;
use release::patch::Patch;
use release::target;
use trust::Editor;

use crate::PublishError;
use crate::content::Store;
use crate::lint::{Finding, Lint, find};
use crate::patch::offers::Offers;
use crate::picture::Picture;
use crate::report::{Meter, Phase};
use crate::share::{self, Share};
use crate::walk::Build;

/// What is looked at.
pub(crate) struct Closer<'a> {
    pub(crate) editor: &'a Editor,
    pub(crate) manifest: &'a Manifest,
    pub(crate) store: &'a Store,
    /// Bytes that the origin holds for each root.
    pub(crate) sizes: &'a BTreeMap<Hash32, u64>,
}

/// What was seen.
pub(crate) struct View {
    /// The newest older release that the channel keeps; nothing for a first release.
    from: Option<Version>,
    shares: Vec<Share>,
    pub(crate) findings: Vec<Finding>,
}

impl Closer<'_> {
    /// Compares the new release with the newest older one that players are expected to come from.
    pub(crate) fn look(
        &self,
        build: &Build,
        offers: &Offers,
        meter: &mut Meter<'_>,
    ) -> Result<View, PublishError> {
        let from = offers.costs.first().map(|cost| cost.from.clone());
        let old = from.as_ref().map(|from| self.older(from)).transpose()?.flatten();
        let shares = match &old {
            Some(old) => share::update(old, self.manifest, self.sizes, self.patch(old, offers)?.as_ref()),
            None => share::fresh(self.manifest, self.sizes),
        };
        meter.start(Phase::Comparing, shares.iter().map(|share| self.manifest.files[share.file].size).sum());
        let lint = Lint { manifest: self.manifest, build, store: self.store, sizes: self.sizes };
        let findings = find(&lint, old.as_ref(), &shares, meter)?;
        Ok(View { from: old.map(|old| old.version), shares, findings })
    }

    fn older(&self, version: &Version) -> Result<Option<Manifest>, PublishError> {
        let bytes = self.editor.target(&target::manifest(&self.manifest.game, version))?;
        Ok(bytes.map(|bytes| Manifest::parse(&bytes)).transpose()?)
    }

    /// The patch that players of that release are offered: one just made, or one that stands.
    fn patch(&self, old: &Manifest, offers: &Offers) -> Result<Option<Patch>, PublishError> {
        let (from, to) = (&old.version, &self.manifest.version);
        if !offers.kept.iter().any(|offer| offer.from == *from && offer.to == *to) {
            return Ok(None);
        }
        let made = offers.new.iter().find(|patch| patch.offer.from == *from);
        let bytes = match made {
            Some(patch) => Some(patch.description.clone()),
            None => self.editor.target(&target::patch(&self.manifest.game, from, to))?,
        };
        Ok(bytes.map(|bytes| Patch::parse(&bytes, old, self.manifest)).transpose()?)
    }
}

impl View {
    /// Which files the bytes go to.
    pub(crate) fn picture(&self, manifest: &Manifest) -> String {
        let bytes: u64 = self.shares.iter().map(|share| share.bytes).sum();
        let title = manifest.title.as_str();
        let name = if title.is_empty() { manifest.game.as_str() } else { title };
        let (version, said) = (&manifest.version, crate::picture::said(bytes));
        let title = match &self.from {
            Some(from) => format!("{name} {from} → {version}: {said} to download"),
            None => format!("{name} {version}: {said} to install"),
        };
        Picture { title, manifest, shares: &self.shares }.draw()
    }
}

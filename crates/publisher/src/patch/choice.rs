//! Which patches are offered: pure, from what each costs.

use std::collections::BTreeMap;

use release::channel::PatchOffer;
use release::id::Version;

/// The cheapest row of patches from one release to another: what it costs, and its patches in order.
pub(crate) fn route<'a>(
    offers: &'a [PatchOffer],
    from: &Version,
    to: &Version,
) -> Option<(u64, Vec<&'a PatchOffer>)> {
    let mut best: BTreeMap<&Version, (u64, Vec<&PatchOffer>)> = BTreeMap::from([(from, (0, Vec::new()))]);
    // No row is longer than there are patches, so after as many rounds nothing gets cheaper.
    for _ in 0..offers.len() {
        for offer in offers {
            let Some((bytes, row)) = best.get(&offer.from) else { continue };
            let bytes = bytes.saturating_add(offer.download_bytes());
            if best.get(&offer.to).is_none_or(|(known, _)| bytes < *known) {
                let row = row.iter().copied().chain([offer]).collect();
                best.insert(&offer.to, (bytes, row));
            }
        }
    }
    best.remove(to).filter(|(_, row)| !row.is_empty())
}

/// Whether a direct patch is worth keeping: it saves something against blocks, and against the row of patches there is.
pub(crate) fn is_kept(direct: &PatchOffer, others: &[PatchOffer], blocks_bytes: u64) -> bool {
    let chain = route(others, &direct.from, &direct.to).map_or(u64::MAX, |(bytes, _)| bytes);
    direct.download_bytes() < chain.min(blocks_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(from: &str, to: &str, bytes: u64) -> PatchOffer {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        PatchOffer { from, to, description_bytes: 0, payload_bytes: bytes, uncovered_bytes: 0 }
    }

    fn cost(offers: &[PatchOffer], from: &str, to: &str) -> Option<(u64, usize)> {
        route(offers, &from.parse().unwrap(), &to.parse().unwrap()).map(|(bytes, row)| (bytes, row.len()))
    }

    #[test]
    fn the_cheapest_row_is_found_and_circles_end() {
        let offers = [offer("1", "2", 10), offer("2", "3", 10), offer("1", "3", 25), offer("3", "1", 1)];
        assert_eq!(cost(&offers, "1", "3"), Some((20, 2)));
        assert_eq!(cost(&offers[1..], "1", "3"), Some((25, 1)));
        assert_eq!(cost(&offers, "2", "1"), Some((11, 2)));
        assert_eq!(cost(&offers, "4", "1"), None);
        assert_eq!(cost(&offers, "1", "1"), None);
        assert_eq!(cost(&[], "1", "2"), None);
    }

    #[test]
    fn a_direct_patch_is_kept_only_where_it_is_smaller_than_blocks_and_chain() {
        let chain = [offer("1", "2", 10), offer("2", "3", 10)];
        assert!(is_kept(&offer("1", "3", 19), &chain, 100));
        assert!(!is_kept(&offer("1", "3", 20), &chain, 100));
        assert!(!is_kept(&offer("1", "3", 19), &chain, 19));
        assert!(is_kept(&offer("1", "3", 99), &[], 100));
    }
}

//! F4: merkle trees and proofs (BEP 52). A proof that was made leads to the root, one that was tampered with leads elsewhere,
//! and piece layers and side files of leaves are believed only if they make the root.

use crate::{
    goods::{GOODS, PIECE},
    input::Input,
};
use release::{
    hash::Hash32,
    layout::PieceLayers,
    merkle::{FileHasher, Tree, leaf, root_of_span},
};

const LEAVES_MAX: usize = 200;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 3 {
        0 => proof(&mut input),
        1 => layer(&mut input),
        _ => streamed(&mut input),
    }
}

/// A tree of any width answers any request, or refuses; what it answers proves itself.
fn proof(input: &mut Input<'_>) {
    let width = usize::from(input.byte()) % LEAVES_MAX + 1;
    let seed = input.byte();
    let leaves: Vec<Hash32> = (0..width).map(|n| leaf(&[seed, n as u8])).collect();
    let tree = Tree::new(leaves, u32::from(input.byte() % 11));
    let [index, length] = [input.word(), input.word()].map(|number| number as usize);
    let (index, length) =
        if input.byte() & 1 == 0 { (index, length) } else { (index % 256, 1 << (length % 9)) };
    let proof_layers = input.word();
    let Some(mut nodes) = tree.answer(index, length, proof_layers) else { return };
    assert!(nodes.len() >= length && nodes.len() <= length + 32, "an answer is bounded");
    let uncles = nodes.split_off(length);
    let span = length.trailing_zeros();
    let whole = uncles.len() as u32 + span >= tree.height();
    let leads_to = root_of_span(&nodes, index, &uncles);
    if whole {
        assert_eq!(leads_to, tree.root());
    }
    let mut forged = [nodes, uncles].concat();
    let (at, bit) = (input.byte() as usize % forged.len(), input.byte());
    forged[at].0[usize::from(bit >> 3)] ^= 1 << (bit & 7);
    let uncles = forged.split_off(length);
    assert_ne!(root_of_span(&forged, index, &uncles), leads_to, "a forged proof leads elsewhere");
}

/// A layer from a stranger is taken only if it is the file's.
fn layer(input: &mut Input<'_>) {
    let layout = &GOODS.layout;
    let file = usize::from(input.byte()) % layout.files().len();
    let mut layer: Vec<Hash32> = GOODS.layers.layer(&GOODS.root).unwrap_or_default().to_vec();
    let truth = layer.clone();
    for _ in 0..input.byte() % 4 {
        let (at, bit) = (usize::from(input.byte()), input.byte());
        let at = at % layer.len();
        layer[at].0[usize::from(bit >> 3)] ^= 1 << (bit & 7);
    }
    layer.truncate(usize::from(input.byte()).max(1));
    layer.extend(input.rest().as_chunks::<32>().0.iter().map(|hash| Hash32(*hash)));
    let is_true = layer == truth && layout.has_layer(file);
    let taken = PieceLayers::default().insert(layout, file, layer);
    assert_eq!(taken.is_ok(), is_true);
}

/// Hashing in portions is hashing at once.
fn streamed(input: &mut Input<'_>) {
    let length = input.word() as usize % (3 * PIECE as usize);
    let fill = input.byte();
    let bytes = vec![fill; length];
    let mut whole = FileHasher::new(PIECE);
    whole.update(&bytes);
    let (mut parts, mut rest) = (FileHasher::new(PIECE), &bytes[..]);
    while !rest.is_empty() {
        let portion = (input.word() as usize % 40_000 + 1).min(rest.len());
        let (now, later) = rest.split_at(portion);
        parts.update(now);
        rest = if input.is_empty() {
            parts.update(later);
            &[]
        } else {
            later
        };
    }
    assert_eq!(whole.finish(), parts.finish());
}

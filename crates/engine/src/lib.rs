//! One game's life: check, plan, fetch, apply, ready, seed

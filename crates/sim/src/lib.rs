//! A deterministic world around the swarm core: clock, links, peers

//! Which block next, from whom, and whom do we serve: the sans-IO swarm core

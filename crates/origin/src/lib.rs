//! The embedded origin behind muster serve: static files with ranges, a tracker, a seed

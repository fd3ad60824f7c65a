//! Patterns over paths in a build: `?` one character, `*` any within a name, `**` any number of folders.
//!
//! A pattern without `/` is tried on every name in the path; one that fits a folder covers all that lies in it. Case
//! counts.

/// True if `pattern` fits `path` or a folder that it lies in.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let anywhere = !pattern.trim_end_matches('/').contains('/');
    let pattern: Vec<&str> = pattern.trim_matches('/').split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    if anywhere {
        return path.iter().any(|name| name_matches(pattern[0], name));
    }
    (1..=path.len()).any(|depth| names_match(&pattern, &path[..depth]))
}

fn names_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=path.len()).any(|skipped| names_match(rest, &path[skipped..])),
        (Some((first, rest)), Some((name, below))) => name_matches(first, name) && names_match(rest, below),
        _ => false,
    }
}

/// `*` and `?` within one name. Walks back only to the last star, so its time is at most the product of the lengths.
fn name_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("*.pdb", "bin/game.pdb", true),
            ("*.pdb", "game.pdb.txt", false),
            ("saves", "saves/slot/1.sav", true),
            ("saves/**", "saves/slot/1.sav", true),
            ("saves/*", "other/saves/1", false),
            ("data/*.pak", "data/a.pak", true),
            ("data/*.pak", "data/x/a.pak", false),
            ("data/**/*.pak", "data/a.pak", true),
            ("data/**/*.pak", "data/x/y/a.pak", true),
            ("**/cache", "a/b/cache/file", true),
            ("/root.txt", "root.txt", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("**", "any/thing", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} on {path}");
        }
    }
}

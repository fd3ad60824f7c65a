//! The files beside the game that others read: news feed and brand.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may stop at once")]

use std::path::{Path, PathBuf};

use serde_json::Value;

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(demo().join(name)).unwrap()).unwrap()
}

#[test]
fn the_three_feeds_say_the_same() {
    let feed = json("feed/feed.json");
    let [rss, atom] =
        ["feed/rss.xml", "feed/atom.xml"].map(|name| std::fs::read_to_string(demo().join(name)).unwrap());
    let posts = feed["items"].as_array().unwrap();
    assert_eq!(feed["version"], "https://jsonfeed.org/version/1.1");
    assert!((4..=5).contains(&posts.len()));
    for post in posts {
        for field in ["id", "title", "summary", "image", "url"] {
            let value = post[field].as_str().unwrap();
            assert!(rss.contains(value) && atom.contains(value), "{field} {value}");
        }
    }
}

#[test]
fn every_picture_and_page_of_the_feed_is_there_and_small() {
    let base = "http://feed.invalid/";
    for post in json("feed/feed.json")["items"].as_array().unwrap() {
        let picture = demo().join("feed").join(post["image"].as_str().unwrap().strip_prefix(base).unwrap());
        assert!(std::fs::metadata(picture).unwrap().len() <= 150_000);
        assert!(demo().join("feed").join(post["url"].as_str().unwrap().strip_prefix(base).unwrap()).exists());
    }
}

#[test]
fn the_brand_names_its_pictures() {
    let brand = json("brand/brand.json");
    for field in ["key_art", "logo"] {
        assert!(demo().join("brand").join(brand[field].as_str().unwrap()).exists());
    }
    assert_eq!(brand["accent"], demo_game::art::ACCENT);
}

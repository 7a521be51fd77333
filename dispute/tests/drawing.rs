//! Pictures of games: the whole text of one, and that pages are whole and closed.

use alloy_primitives::Address;
use carronade_dispute::draw::{View, html, text};
use carronade_dispute::sim::play;

fn view(now: u64) -> View {
    View {
        now,
        title: "A <game>".into(),
        names: [(Address::repeat_byte(1), "Tom & Co".into())].into(),
    }
}

#[test]
fn the_text_of_a_game() {
    let game = play(7).game;
    let now = game.resolved_at().expect("it is resolved");
    let text = text(&game, &view(now));
    let expected = include_str!("drawing/game.txt");
    assert_eq!(text, expected);
}

#[test]
fn every_claim_is_drawn_once() {
    for seed in 0..60 {
        let game = play(seed).game;
        let page = html(&game, &view(0));
        let lines = text(&game, &view(0));
        for index in 0..game.claims().len() {
            assert_eq!(page.matches(&format!("id=\"c{index}\"")).count(), 1);
            let of = |line: &&str| line.contains(&format!("#{index} ")) && line.contains('@');
            assert_eq!(lines.lines().filter(of).count(), 1, "{seed} {index}");
        }
    }
}

/// Who has countered whom, as drawn, is what resolution says.
#[test]
fn fates_are_those_of_resolution() {
    for seed in 0..200 {
        let game = play(seed).game;
        let drawn = text(&game, &view(0));
        for (index, claim) in game.claims().iter().enumerate() {
            let line = drawn
                .lines()
                .find(|line| line.contains(&format!("#{index} ")));
            let line = line.expect("it is drawn");
            let stands = line.ends_with("stands");
            assert_eq!(stands, claim.countered_by.is_none(), "seed {seed}: {line}");
        }
    }
}

#[test]
fn pages_need_nothing_else() {
    let page = html(&play(7).game, &view(0));
    for elsewhere in [
        "src=", "http:", "https:", "url(", "@import", "<link", "<script",
    ] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    for element in [
        "details", "summary", "table", "tr", "td", "th", "main", "code", "span",
    ] {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        let closed = page.matches(&format!("</{element}>")).count();
        assert_eq!(opened, closed, "{element}");
    }
    assert!(page.contains("A &lt;game&gt;") && page.contains("Tom &amp; Co"));
    assert!(!page.contains("A <game>") && !page.contains("Tom & Co"));
}

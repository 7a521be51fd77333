//! A game as a page that needs no other file.

use super::{Fate, Row, Standing, View, accounts, summary};
use crate::game::Game;

const STYLE: &str = "
body{font:14px/1.5 system-ui,sans-serif;margin:2em;color:#1b1f24;background:#fff}
h1{font-size:1.3em}
table{border-collapse:collapse;margin:1em 0}
th,td{text-align:left;padding:.2em 1.2em .2em 0;vertical-align:top}
code{font:12px ui-monospace,monospace}
details{margin-left:1.1em;border-left:1px solid #d0d7de;padding-left:.6em}
main>details{margin-left:0;border:0;padding:0}
summary{padding:.15em .3em;border-radius:4px;cursor:pointer}
summary:hover{background:#f3f5f7}
.leaf>summary{list-style:none;padding-left:1.1em;cursor:default}
.stands>summary .fate{color:#1a7f37;font-weight:600}
.falls>summary .fate{color:#cf222e}
.kind{display:inline-block;min-width:4.2em;font-weight:600}
.attack{color:#bc4c00}.defend{color:#0969da}
.dim{color:#656d76}
@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}
summary:hover{background:#161b22}details{border-color:#30363d}.dim{color:#8d96a0}
.stands>summary .fate{color:#3fb950}.falls>summary .fate{color:#f85149}
.attack{color:#db6d28}.defend{color:#58a6ff}}
";

/// The game as an HTML page: claims fold, and show whether they stand.
#[must_use]
pub fn html(game: &Game, view: &View) -> String {
    let title = match view.title.as_str() {
        "" => "Dispute game".into(),
        title => escape(title),
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<table>\n"
    );
    for (name, value) in summary(game, view) {
        page += &format!("<tr><th>{name}</th><td>{}</td></tr>\n", escape(&value));
    }
    page += "</table>\n<main>\n";
    tree(&mut page, game, view);
    page += "</main>\n<table>\n<tr><th>who</th><th>paid</th><th>won</th></tr>\n";
    for (name, paid, won) in accounts(game, view) {
        let name = escape(&name);
        page += &format!("<tr><td>{name}</td><td>{paid}</td><td>{won}</td></tr>\n");
    }
    page += "</table>\n</body></html>\n";
    page
}

fn tree(page: &mut String, game: &Game, view: &View) {
    let standing = Standing::new(game);
    // Trees are as deep as the game: a stack of our own; none closes an element.
    let mut stack = vec![Some(0)];
    while let Some(next) = stack.pop() {
        let Some(index) = next else {
            *page += "</details>\n";
            continue;
        };
        let children = game.children(index);
        open(page, &standing.row(index, view), children.is_empty());
        stack.push(None);
        stack.extend(children.iter().rev().map(|&child| Some(child)));
    }
}

fn open(page: &mut String, row: &Row, is_leaf: bool) {
    let leaf = if is_leaf { "leaf " } else { "" };
    let class = match row.fate {
        Fate::Stands => "stands",
        _ => "falls",
    };
    let Row { index, kind, .. } = row;
    *page += &format!(
        "<details open id=\"c{index}\" class=\"{leaf}{class}\"><summary>#{index} \
         <span class=\"kind {kind}\">{kind}</span> {about} \
         <code title=\"{value}\">{position}</code> \
         <span class=\"fate\">{fate}</span> \
         <span class=\"dim\">{claimant} · {bond} · {clock}</span>\
         <br><code class=\"dim\">{value}</code></summary>\n",
        about = row.about,
        value = row.value,
        position = row.position,
        fate = fate(&row.fate),
        claimant = escape(&row.claimant),
        bond = row.bond,
        clock = row.clock,
    );
}

fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Countered(by) => format!("countered by <a href=\"#c{by}\">#{by}</a>"),
        other => escape(&other.text()),
    }
}

/// Names and titles come from outside.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            letter => out.push(letter),
        }
    }
    out
}

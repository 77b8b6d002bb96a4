//! The status page at `/`, and its numbers as JSON at `/stats`.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use tailwater_types::InfoHash;

use super::ServerStats;
use crate::scrape::ScrapeStats;

/// The longest `Host` header that is believed, in bytes: a name in DNS and a port.
const MAX_HOST_LEN: usize = 259;

/// The data of the page and of the numbers.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) stats: ServerStats,
    pub(super) uptime: Duration,
    /// The URLs to announce to.
    pub(super) announce: Vec<String>,
    /// Torrents with their numbers, where they may be shown, and how many there are beside them.
    pub(super) list: Option<(Vec<(InfoHash, ScrapeStats)>, usize)>,
}

impl View {
    /// The page. It loads nothing and runs nothing.
    pub(super) fn html(&self) -> String {
        Page(self).to_string()
    }

    /// The numbers as JSON.
    pub(super) fn json(&self) -> String {
        let ServerStats {
            torrents,
            peers,
            seeders,
            leechers,
            announces,
            scrapes,
            rejected,
        } = self.stats;
        let uptime = self.uptime.as_secs();
        let mut json = format!(
            "{{\"uptime_seconds\":{uptime},\"torrents\":{torrents},\"peers\":{peers},\"seeders\":{seeders},\
             \"leechers\":{leechers},\"announces\":{announces},\"scrapes\":{scrapes},\"rejected\":{rejected}"
        );
        if let Some((list, _)) = &self.list {
            let torrent = |(hash, stats): &(InfoHash, ScrapeStats)| {
                let ScrapeStats {
                    seeders,
                    leechers,
                    completed,
                } = stats;
                format!(
                    "{{\"info_hash\":\"{hash}\",\"seeders\":{seeders},\"leechers\":{leechers},\"completed\":{completed}}}"
                )
            };
            let list: Vec<_> = list.iter().map(torrent).collect();
            // To write to a string cannot fail.
            let _ = write!(json, ",\"list\":[{}]", list.join(","));
        }
        json + "}\n"
    }
}

struct Page<'a>(&'a View);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(view) = *self;
        let stats = &view.stats;
        f.write_str(HEAD)?;
        f.write_str("<p>This is a BitTorrent tracker. It announces at:</p>\n<ul>\n")?;
        for url in &view.announce {
            writeln!(f, "<li><code>{}</code></li>", Html(url))?;
        }
        f.write_str("</ul>\n<table>\n")?;
        let rows = [
            ("Torrents", stats.torrents.to_string()),
            ("Seeders", stats.seeders.to_string()),
            ("Leechers", stats.leechers.to_string()),
            ("Announces", stats.announces.to_string()),
            ("Scrapes", stats.scrapes.to_string()),
            ("Requests refused", stats.rejected.to_string()),
            ("Running for", uptime(view.uptime)),
        ];
        for (name, value) in rows {
            writeln!(f, "<tr><th>{name}</th><td>{value}</td></tr>")?;
        }
        f.write_str("</table>\n")?;
        if let Some((list, more)) = &view.list {
            f.write_str(
                "<table>\n<tr><th>Info-hash</th><th>Seeders</th><th>Leechers</th><th>Completed</th></tr>\n",
            )?;
            for (hash, stats) in list {
                let ScrapeStats {
                    seeders,
                    leechers,
                    completed,
                } = stats;
                writeln!(
                    f,
                    "<tr><td><code>{hash}</code></td><td>{seeders}</td><td>{leechers}</td><td>{completed}</td></tr>"
                )?;
            }
            f.write_str("</table>\n")?;
            if *more > 0 {
                writeln!(f, "<p>… and {more} more</p>")?;
            }
        }
        f.write_str("<p>The same for programs: <a href=\"/stats\">/stats</a></p>\n</html>\n")
    }
}

/// The page reloads itself every 10 s.
const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta http-equiv=\"refresh\" content=\"10\">
<title>tailwater tracker</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem }
:root { color-scheme: light dark }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .1rem 1.5rem .1rem 0 }
td { font-variant-numeric: tabular-nums }
code { overflow-wrap: anywhere }
</style>
<h1>tailwater tracker</h1>
";

/// The URL to announce to as the visitor names this server, if that is a name or an address.
pub(super) fn announce_url(host: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]%".contains(&byte);
    let is_host = (1..=MAX_HOST_LEN).contains(&host.len()) && host.bytes().all(is_plain);
    is_host.then(|| format!("http://{host}/announce"))
}

/// Escapes text for HTML.
struct Html<'a>(&'a str);

impl Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A time in its two largest units.
fn uptime(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View {
            stats: ServerStats {
                torrents: 2,
                peers: 3,
                seeders: 1,
                leechers: 2,
                announces: 7,
                ..ServerStats::default()
            },
            uptime: Duration::from_secs(3 * 86_400 + 7300),
            announce: vec!["http://a<b/announce".to_owned()],
            list: None,
        }
    }

    #[test]
    fn the_page_says_the_numbers_and_no_torrents() {
        let html = view().html();
        for shown in [
            "http://a&lt;b/announce",
            "<tr><th>Torrents</th><td>2</td></tr>",
            "<tr><th>Running for</th><td>3 d 2 h</td></tr>",
        ] {
            assert!(html.contains(shown), "{shown} is not in {html}");
        }
        assert!(!html.contains("Info-hash"));
        let mut view = view();
        let hash = InfoHash::new([0xab; 20]);
        view.list = Some((vec![(hash, ScrapeStats::default())], 4));
        let html = view.html();
        assert!(html.contains(&format!("<code>{hash}</code>")) && html.contains("… and 4 more"));
        assert!(view.json().contains(&format!("\"info_hash\":\"{hash}\"")));
    }

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        assert_eq!(
            announce_url("tracker.example:6969").as_deref(),
            Some("http://tracker.example:6969/announce")
        );
        assert!(announce_url("[::1]:80").is_some());
        for host in ["", "a b", "a/b", "a\"b", "<b>", &"a".repeat(300)] {
            assert_eq!(announce_url(host), None, "{host}");
        }
    }
}

//! Fetches a URL, or a part of what it names, and says what it got: `get URL [FIRST-LAST]`.

use std::error::Error;
use std::time::Duration;

use tailwater_http::{Client, ClientConfig, Proxy, UrlTrust};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: get URL [FIRST-LAST]")?;
    let config = ClientConfig::default()
        .timeout(Duration::from_secs(60))
        .max_body_len(100_000_000)
        .proxy(Proxy::from_env());
    let mut request = Client::new(config).get(&url).trust(UrlTrust::Named);
    if let Some(range) = args.next() {
        let (first, last) = range.split_once('-').ok_or("a range is FIRST-LAST")?;
        request = request.range(first.parse()?..=last.parse()?);
    }
    let mut response = request.send().await?;
    println!("{} from {}", response.status(), response.url());
    if let Some(range) = response.content_range() {
        println!(
            "bytes {} to {} of {:?}",
            range.first, range.last, range.total
        );
    }
    let mut len = 0;
    while let Some(chunk) = response.chunk().await? {
        len += chunk.len();
    }
    println!("{len} bytes");
    Ok(())
}

//! Writes SQL as mysqldump does, so much of it as asked for, always the same: the input of the benchmarks.
//!
//! ```text
//! cargo run --release --example sqldump -- 1.2G > dump.sql
//! ```
//! Six tables of a web shop, one after another as in a dump: short rows of numbers and enumerations, long ones of
//! prose, logs, serialised settings, and hashes that do not compress. So the ratio differs from table to table, as it
//! does in a real dump; `benches/compare` prints what it is over all. Words follow Zipf's law, values are correlated as
//! real ones are (times ascend, items belong to the order before, the same visitor comes again).
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "random picks"
)]

use spillpipe::units::ByteSize;
use std::fmt::Write as _;
use std::io::{self, BufWriter};
use std::process::ExitCode;

/// mysqldump begins a new INSERT after so many bytes.
const INSERT_BYTES: usize = 1 << 20;
const WORDS: usize = 6000;
const PAGES: usize = 3000;
const SYLLABLES: [&str; 40] = [
    "an", "ba", "con", "de", "el", "fer", "ga", "hi", "in", "jo", "ka", "lo", "men", "ni", "or", "per", "qua", "re",
    "si", "ta", "un", "ver", "wi", "ex", "yo", "za", "tion", "ing", "er", "ed", "al", "ous", "ment", "ly", "st", "ra",
    "te", "mo", "li", "s",
];
const COMMON: [&str; 24] = [
    "the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "was", "on", "with", "as", "be", "by", "at", "not",
    "this", "from", "are", "or", "which", "you",
];
const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/",
    "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html) v",
    "Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Chrome/",
];
const STATUS: [&str; 5] = ["paid", "shipped", "delivered", "cancelled", "refunded"];
const COUNTRY: [&str; 8] = ["DE", "US", "FR", "GB", "NL", "PL", "ES", "IT"];
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./";
/// 2021-01-01, in seconds since 1970.
const EPOCH: u64 = 1_609_459_200;

type Row = fn(&mut Source, &mut String, u64);

/// Name, columns, how one row is made, and percent of the dump.
const TABLES: [(&str, &str, Row, u64); 6] = [
    (
        "customers",
        "`id` int unsigned NOT NULL AUTO_INCREMENT,\n  `login` varchar(60) NOT NULL,\n  `email` varchar(100) NOT NULL,\n  `password` char(60) NOT NULL,\n  `country` char(2) NOT NULL,\n  `newsletter` tinyint(1) NOT NULL DEFAULT 0,\n  `last_ip` varchar(45) DEFAULT NULL,\n  `created` datetime NOT NULL,",
        customer,
        4,
    ),
    (
        "orders",
        "`id` int unsigned NOT NULL AUTO_INCREMENT,\n  `customer_id` int unsigned NOT NULL,\n  `status` enum('paid','shipped','delivered','cancelled','refunded') NOT NULL,\n  `total` decimal(10,2) NOT NULL,\n  `currency` char(3) NOT NULL DEFAULT 'EUR',\n  `note` text,\n  `created` datetime NOT NULL,\n  `updated` datetime DEFAULT NULL,",
        order,
        14,
    ),
    (
        "order_items",
        "`id` int unsigned NOT NULL AUTO_INCREMENT,\n  `order_id` int unsigned NOT NULL,\n  `product_id` int unsigned NOT NULL,\n  `sku` varchar(24) NOT NULL,\n  `name` varchar(120) NOT NULL,\n  `quantity` smallint NOT NULL,\n  `price` decimal(10,2) NOT NULL,\n  `tax` decimal(4,2) NOT NULL,",
        item,
        18,
    ),
    (
        "posts",
        "`id` int unsigned NOT NULL AUTO_INCREMENT,\n  `author_id` int unsigned NOT NULL,\n  `title` varchar(200) NOT NULL,\n  `body` longtext NOT NULL,\n  `state` varchar(20) NOT NULL DEFAULT 'draft',\n  `created` datetime NOT NULL,\n  `guid` varchar(255) NOT NULL DEFAULT '',",
        post,
        14,
    ),
    (
        "settings",
        "`id` int unsigned NOT NULL AUTO_INCREMENT,\n  `customer_id` int unsigned NOT NULL,\n  `name` varchar(64) NOT NULL,\n  `value` longtext,",
        setting,
        16,
    ),
    (
        "access_log",
        "`id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  `at` datetime(3) NOT NULL,\n  `ip` varchar(45) NOT NULL,\n  `method` varchar(8) NOT NULL,\n  `path` varchar(255) NOT NULL,\n  `status` smallint NOT NULL,\n  `bytes` int NOT NULL,\n  `ms` int NOT NULL,\n  `agent` varchar(255) DEFAULT NULL,\n  `referer` varchar(255) DEFAULT NULL,",
        access,
        34,
    ),
];

#[allow(dead_code, reason = "benches/micro.rs has a main of its own")]
fn main() -> ExitCode {
    let Some(Ok(ByteSize(size_bytes))) = std::env::args().nth(1).map(|size| size.parse()) else {
        eprintln!("usage: sqldump SIZE (such as 64M or 1.2G)");
        return ExitCode::from(2);
    };
    match dump(size_bytes, &mut BufWriter::with_capacity(1 << 20, io::stdout().lock())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sqldump: cannot write: {error}");
            ExitCode::FAILURE
        }
    }
}

/// At least `size_bytes`, and at most one INSERT a table more.
pub(crate) fn dump(size_bytes: u64, out: &mut impl io::Write) -> io::Result<()> {
    let mut source = Source::new();
    out.write_all(
        b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n",
    )?;
    out.write_all(b"-- ------------------------------------------------------\n\n/*!40101 SET NAMES utf8mb4 */;\n\n")?;
    for (name, columns, row, percent) in TABLES {
        write!(out, "--\n-- Table structure for table `{name}`\n--\n\nDROP TABLE IF EXISTS `{name}`;\n")?;
        write!(out, "CREATE TABLE `{name}` (\n  {columns}\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB;\n\n")?;
        write!(out, "LOCK TABLES `{name}` WRITE;\n/*!40000 ALTER TABLE `{name}` DISABLE KEYS */;\n")?;
        let mut left = size_bytes / 100 * percent;
        let mut id = 0;
        source.seconds = EPOCH;
        while left > 0 {
            let mut text = format!("INSERT INTO `{name}` VALUES ");
            let want = INSERT_BYTES.min(left as usize);
            while text.len() < want {
                id += 1;
                text.push_str(if text.ends_with(')') { ",(" } else { "(" });
                row(&mut source, &mut text, id);
                text.push(')');
            }
            text.push_str(";\n");
            out.write_all(text.as_bytes())?;
            left = left.saturating_sub(text.len() as u64);
        }
        write!(out, "/*!40000 ALTER TABLE `{name}` ENABLE KEYS */;\nUNLOCK TABLES;\n\n")?;
    }
    out.write_all(b"-- Dump completed\n")?;
    out.flush()
}

fn customer(s: &mut Source, out: &mut String, id: u64) {
    let (first, last) = (s.word().to_owned(), s.word().to_owned());
    let host = s.below(40);
    put(out, format_args!("{id},'{first}{}','{first}.{last}@{}.example','$2y$10$", s.below(1000), s.words[900 + host]));
    (0..53).for_each(|_| out.push(char::from(BASE64[s.below(64)])));
    let (country, newsletter) = (COUNTRY[s.skewed(COUNTRY.len())], s.below(2));
    put(out, format_args!("','{country}',{newsletter},"));
    s.ip(out);
    out.push(',');
    s.time(out, 40);
}

fn order(s: &mut Source, out: &mut String, id: u64) {
    let (customer, status, cents) = (s.skewed(400_000), STATUS[s.skewed(STATUS.len())], s.skewed(90_000));
    put(out, format_args!("{id},{customer},'{status}',{}.{:02},'EUR',", cents / 100, cents % 100));
    if s.below(8) == 0 {
        out.push('\'');
        s.prose(out, 12);
        out.push_str("',");
    } else {
        out.push_str("NULL,");
    }
    s.time(out, 20);
    out.push(',');
    s.time(out, 1);
}

fn item(s: &mut Source, out: &mut String, id: u64) {
    // Products are looked at again and again, under the same name and price.
    let product = s.skewed(30_000);
    let word = |n: usize| &s.words[product * 31 % (WORDS - n)];
    let name = format!("{} {} {}", word(17), word(301), word(4001));
    let cents = product * 7919 % 20_000 + 99;
    put(out, format_args!("{id},{},{product},'SKU-{:04}-{:05}',", id / 3, product % 97, product));
    put(out, format_args!("'{name}',{},{}.{:02},19.00", 1 + s.skewed(6), cents / 100, cents % 100));
}

fn post(s: &mut Source, out: &mut String, id: u64) {
    put(out, format_args!("{id},{},'", s.skewed(300)));
    s.prose(out, 6);
    out.push_str("','");
    for _ in 0..=s.skewed(8) {
        out.push_str("<!-- wp:paragraph -->\\n<p>");
        let words = 15 + s.below(60);
        s.prose(out, words);
        out.push_str("</p>\\n<!-- /wp:paragraph -->\\n\\n");
    }
    out.push_str("','publish',");
    s.time(out, 5000);
    put(out, format_args!(",'https://shop.example/?p={id}'"));
}

fn setting(s: &mut Source, out: &mut String, id: u64) {
    let (width, theme, code) = (s.below(1920), s.word().to_owned(), s.next());
    put(out, format_args!("{id},{},'session_tokens','a:4:{{s:5:\\\"width\\\";i:{width};s:5:\\\"theme\\\";", id / 4));
    put(out, format_args!("s:{}:\\\"{theme}\\\";s:5:\\\"token\\\";s:16:\\\"{code:016x}\\\";", theme.len()));
    put(out, format_args!("s:10:\\\"expiration\\\";i:{};}}'", EPOCH + s.below(90_000_000) as u64));
}

fn access(s: &mut Source, out: &mut String, id: u64) {
    put(out, format_args!("{id},"));
    s.time(out, 2);
    out.pop();
    put(out, format_args!(".{:03}',", s.below(1000)));
    s.ip(out);
    let (page, status) = (s.skewed(PAGES), [200, 304, 200, 404, 302][s.skewed(5)]);
    let method = if s.below(12) == 0 { "POST" } else { "GET" };
    put(out, format_args!(",'{method}','/{}/{}',{status},", s.words[page % 50], s.words[page]));
    let (agent, version) = (s.skewed(AGENTS.len()), s.skewed(30));
    put(out, format_args!("{},{},'{}{}.0',", s.skewed(80_000), s.skewed(900), AGENTS[agent], 120 - version));
    if s.below(3) == 0 {
        out.push_str("NULL");
    } else {
        let page = s.skewed(PAGES);
        put(out, format_args!("'https://shop.example/{}'", s.words[page]));
    }
}

/// Where all values come from: a random generator with a fixed seed, words, and a clock.
struct Source {
    random: u64,
    words: Vec<String>,
    visitors: Vec<u32>,
    seconds: u64,
}

impl Source {
    fn new() -> Self {
        let mut source = Self { random: 0x5eed, words: Vec::new(), visitors: Vec::new(), seconds: EPOCH };
        source.words = COMMON.map(str::to_owned).to_vec();
        while source.words.len() < WORDS {
            let word = (0..2 + source.below(3)).map(|_| SYLLABLES[source.below(SYLLABLES.len())]).collect();
            source.words.push(word);
        }
        source.visitors = (0..20_000).map(|_| source.next() as u32).collect();
        source
    }

    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Under `n`, each as likely as the other.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Under `n`, small ones more often: rank r about as often as 1/r.
    fn skewed(&mut self, n: usize) -> usize {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        ((n as f64 + 1.0).powf(unit) as usize - 1).min(n - 1)
    }

    fn word(&mut self) -> &str {
        let rank = self.skewed(WORDS);
        &self.words[rank]
    }

    fn prose(&mut self, out: &mut String, words: usize) {
        let mut sentence = 0;
        for i in 0..words {
            let from = out.len();
            out.push_str(self.word());
            if sentence == 0 {
                out[from..=from].make_ascii_uppercase();
            }
            sentence += 1;
            let ends = sentence > 5 && self.below(8) == 0;
            if ends {
                sentence = 0;
            }
            match (i + 1 == words, ends) {
                (true, _) => out.push('.'),
                (_, true) => out.push_str(". "),
                _ if self.below(12) == 0 => out.push_str(", "),
                _ => out.push(' '),
            }
        }
    }

    fn ip(&mut self, out: &mut String) {
        let visitor = self.skewed(self.visitors.len());
        let [a, b, c, d] = self.visitors[visitor].to_be_bytes();
        put(out, format_args!("'{a}.{b}.{c}.{d}'"));
    }

    /// A time, on average `step` seconds after the one before.
    fn time(&mut self, out: &mut String, step: usize) {
        self.seconds += self.below(2 * step + 1) as u64;
        let (days, second) = (self.seconds / 86_400, self.seconds % 86_400);
        // Days to a date of the proleptic Gregorian calendar, by eras of 400 years.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        put(out, format_args!("'{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}'"));
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes all");
}

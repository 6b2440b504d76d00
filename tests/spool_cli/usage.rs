//! Arguments of the commands: what is refused, and what is answered.

use super::{Spool, fails, silent, spillpipe};

#[test]
fn what_makes_no_sense_is_refused_in_one_line_with_status_2() {
    let spool = Spool::new();
    for (args, words) in [
        ("push", "were not provided: <DIR>; try 'spillpipe push --help'"),
        ("pop", "were not provided: <DIR>; try 'spillpipe pop --help'"),
        ("push DIR x", "unexpected argument 'x'"),
        ("push --no-end --abort DIR", "cannot be used with"),
        ("push --linger soon DIR", "a duration is a number and a unit"),
        ("push --linger 25h DIR", "longer than a day"),
        ("push --sync always DIR", "none of: none, interval:MS, chunk"),
        ("push --records words DIR", "possible values: none, lines, nul"),
        ("push -s 1K DIR", "between 4K and 4M"),
        ("push --max-disk 127K DIR", "it takes at least 128K"),
        ("--spool DIR --max-disk 127K", "it takes at least 128K"),
        ("each DIR cat", "(put -- before the command)"),
        ("each DIR", "(put -- before the command)"),
        ("push -z gzip DIR", "unknown codec 'gzip'"),
        ("push -m 64M DIR", "unexpected argument '-m'"),
        ("pop --max-bytes 0 DIR", "more than 0"),
        ("pop --from middle DIR", "possible values: oldest, newest"),
        ("pop --ack-interval -1s DIR", "a duration is a number and a unit"),
        ("pop --ack-interval 1000 DIR", "a duration is a number and a unit"),
        ("reader", "try 'spillpipe reader --help'"),
        ("reader seek DIR me middle", "or it is 'oldest' or 'newest'"),
        ("reader seek DIR me -5", "a size is not negative"),
        ("reader add DIR", "try 'spillpipe reader add --help'"),
        ("trim --keep lots DIR", "a size is a number and a unit"),
        ("-m 64M push DIR", "cannot be used with"),
        ("--spool DIR -m 64M", "cannot be used with '--memory"),
        ("--spool DIR -T /tmp", "cannot be used with '--tmpdir"),
        ("--spool DIR --no-splice", "cannot be used with '--no-splice"),
        ("--spool DIR -r 1M", "cannot be used with '--read-rate"),
        ("--spool DIR -R 1M", "cannot be used with '--write-rate"),
        ("--sync chunk", "not provided: --spool <DIR>"),
        ("pusch DIR", "unexpected argument 'pusch': there is no such command"),
    ] {
        let out = fails(spool.run(args, ""), 2, words);
        assert!(out.is_empty() && !spool.dir().exists(), "{args}");
    }
}

#[test]
fn every_command_has_help_with_its_statuses_and_examples() {
    for (command, words) in [
        (
            "push",
            &[
                "about 100 bytes",
                "SIGINT and SIGTERM kill it",
                "A TIME needs a unit",
                "Exit status:",
                "Examples:",
                "[default: 256K]",
            ][..],
        ),
        (
            "pop",
            &[
                "comes again",
                "SIGTERM",
                "A TIME needs a unit",
                "3  damaged data was met",
                "4  the stream is incomplete",
                "Examples:",
            ],
        ),
        ("info", &["--json", "needs write access", "Exit status:", "Examples:"]),
        ("trim", &["the newest one stays", "--quarantine", "Exit status:", "Example:"]),
        ("reader", &["add", "remove", "seek", "Exit status:", "Example:"]),
        ("reader add", &["Exit status:", "Example:"]),
        ("reader remove", &["Exit status:", "Example:"]),
        ("reader seek", &["+SIZE", "Exit status:", "Example:"]),
    ] {
        for args in [format!("{command} --help"), format!("help {command}")] {
            let help = String::from_utf8(silent(spillpipe(&args).output().unwrap())).unwrap();
            for words in words {
                assert!(help.contains(words), "{args}: {words}");
            }
            assert!(help.lines().all(|line| line.len() <= 100), "{args}: it fits a terminal");
        }
        silent(spillpipe(&format!("{command} -h")).output().unwrap());
    }
}

//! `spillpipe trim` and `spillpipe reader`: what is done to a spool by hand.

use super::args::{ReaderAction, ReaderArgs, TrimArgs};
use super::text;
use super::values::SeekArg;
use crate::cli::exit::Failure;
use crate::cli::teller::Teller;
use crate::cli::text::{Loudness, counted};
use spillpipe::format::StreamOffset;
use spillpipe::spool::{Error, Seek, Spool, Trimmed};
use spillpipe::units::human;

/// Runs `trim`.
pub(in crate::cli) fn trim(args: &TrimArgs) -> Result<(), Failure> {
    let (removed, cleared) = do_trim(args).map_err(|error| text::failure(&error, ""))?;
    let teller = Teller::open("spillpipe".to_owned(), args.quiet, args.verbose, None)?;
    let told = |what: Trimmed, kind| format!("removed {}, {}", counted(what.files, kind), human(what.bytes));
    teller.say(Loudness::Note, &told(removed, "segment"));
    if args.quarantine {
        teller.say(Loudness::Note, &told(cleared, "quarantined file"));
    }
    Ok(())
}

fn do_trim(args: &TrimArgs) -> Result<(Trimmed, Trimmed), Error> {
    let spool = Spool::open(&args.dir)?;
    let removed = spool.trim(args.keep.map(|size| size.0))?;
    let cleared = if args.quarantine { spool.clear_quarantine()? } else { Trimmed::default() };
    Ok((removed, cleared))
}

/// Runs `reader`.
pub(in crate::cli) fn reader(args: &ReaderArgs) -> Result<(), Failure> {
    match &args.action {
        ReaderAction::Add { dir, name, from } => {
            Spool::create(dir).and_then(|spool| spool.add_reader(name, (*from).into()))
        }
        ReaderAction::Remove { dir, name } => Spool::open(dir).and_then(|spool| spool.remove_reader(name)),
        ReaderAction::Seek { dir, name, to } => Spool::open(dir).and_then(|spool| seek(&spool, name, *to)),
    }
    .map_err(|error| text::failure(&error, ""))
}

fn seek(spool: &Spool, name: &str, to: SeekArg) -> Result<(), Error> {
    let to = match to {
        SeekArg::Oldest => Seek::Oldest,
        SeekArg::Newest => Seek::Newest,
        SeekArg::At(offset) => Seek::Offset(offset),
        SeekArg::Forward(bytes) => {
            let readers = spool.info()?.readers;
            let reader = readers.into_iter().find(|reader| reader.name == name);
            let reader =
                reader.ok_or_else(|| Error::NoReader { dir: spool.dir().to_owned(), name: name.to_owned() })?;
            Seek::Offset(StreamOffset(reader.position.offset.0.saturating_add(bytes)))
        }
    };
    spool.seek_reader(name, to).map(drop)
}

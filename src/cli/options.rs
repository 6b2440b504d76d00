//! Arguments, already valid one by one, to the options of a pipe.

use super::args::FilterArgs;
use super::exit::Failure;
use spillpipe::pipe::{Headroom, Options, OptionsError};
use spillpipe::units::{Amount, human};

/// The options that the arguments ask for.
pub(super) fn options(args: &FilterArgs) -> Result<Options, Failure> {
    let mut options = Options::default();
    options.memory_bytes = memory_bytes(args.memory, options.memory_bytes, ram_bytes())?;
    options.chunk_bytes = saturating(args.chunk_size.0);
    options.codec = args.codec;
    options.threads = args.threads.unwrap_or(options.threads);
    options.read_rate = args.read_rate;
    options.write_rate = args.write_rate;
    options.splice = !args.no_splice;
    if let Some(dir) = &args.tmpdir {
        options.spill.dir.clone_from(dir);
    }
    options.spill.max_disk_bytes = args.max_disk.map(|size| size.0);
    options.spill.min_free = headroom(args.min_free);
    options.spill.when_full = args.when_full.into();
    Ok(options)
}

/// What `--min-free` comes to.
pub(super) fn headroom(amount: Amount) -> Headroom {
    match amount {
        Amount::Bytes(bytes) => Headroom::Bytes(bytes),
        Amount::Percent(percent) => Headroom::Percent(percent),
    }
}

/// What `--memory` comes to. More than the machine has would end in the kernel killing somebody; only the default is
/// never refused, as nobody chose it.
fn memory_bytes(asked: Amount, default_bytes: usize, ram_bytes: u64) -> Result<usize, Failure> {
    let bytes = match asked {
        Amount::Bytes(bytes) => bytes,
        Amount::Percent(percent) => Headroom::Percent(percent).bytes(ram_bytes),
    };
    if bytes > ram_bytes && saturating(bytes) != default_bytes {
        let (asked, ram) = (human(bytes), human(ram_bytes));
        return Err(Failure::usage(format!("memory of {asked} is more than this machine has ({ram})")));
    }
    Ok(saturating(bytes))
}

fn saturating(bytes: u64) -> usize {
    bytes.try_into().unwrap_or(usize::MAX)
}

/// The memory of the machine, or what a control group leaves us of it.
fn ram_bytes() -> u64 {
    let system = rustix::system::sysinfo();
    let machine = u128::from(system.totalram) * u128::from(system.mem_unit);
    let machine = u64::try_from(machine).unwrap_or(u64::MAX);
    // "max" is no number, and outside a container the file is not there.
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    limit.and_then(|text| text.trim().parse().ok()).map_or(machine, |limit| machine.min(limit))
}

/// What is wrong with the options as a whole, in the user's words.
pub(super) fn explain(error: &OptionsError) -> Failure {
    let bytes = |bytes: usize| human(bytes.try_into().unwrap_or(u64::MAX));
    Failure::usage(match error {
        OptionsError::Memory { memory_bytes, least_bytes } => format!(
            "memory of {} is too little: with these options it takes at least {} (--memory)",
            bytes(*memory_bytes),
            bytes(*least_bytes)
        ),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_memory_than_the_machine_has_is_refused_unless_nobody_chose_it() {
        let come_to = |asked, ram_bytes| memory_bytes(asked, 64 << 20, ram_bytes).map_err(|failure| failure.text);
        assert_eq!(come_to(Amount::Bytes(1 << 30), 1 << 30), Ok(1 << 30));
        assert_eq!(come_to(Amount::Percent(50.0), 1 << 30), Ok(512 << 20));
        assert_eq!(come_to(Amount::Bytes(64 << 20), 32 << 20), Ok(64 << 20));
        let expected = "memory of 8.0 EiB is more than this machine has (24 GiB)";
        assert_eq!(come_to(Amount::Bytes(8 << 60), 24 << 30), Err(expected.to_owned()));
    }
}

//! The command. All of it is in [`cli`], over the public API of the library.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}

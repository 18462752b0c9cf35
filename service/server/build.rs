//! A new migration changes what `sqlx::migrate!` embeds without changing a line of Rust.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}

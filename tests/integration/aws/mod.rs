//! A live account, as far as emulators are one: ../../peers says which and how.

mod apply;
mod collect;
mod doctor;
mod findings;
mod init;
mod organization;
mod peers;
mod policies;
mod policy_loop;
mod security_lake;
mod sources;
mod terraform;
mod trail_sources;

//! Everything that the simulated AWS knows. One value behind one lock: a call sees and leaves a consistent world.
//!
//! Each service keeps its own state and alone changes it; the others ask it through its methods.

use jiff::{SignedDuration, Timestamp};

use crate::call::{AccountId, Region};
use crate::services::{
    accessanalyzer, account, cloudtrail, config, ec2, events, guardduty, iam, organizations, s3,
    s3control, securityhub, sqs, sts,
};
use crate::stacks;

/// The organization's management account, whose administrator owns the access key `AWSIMMANAGEMENT0000`.
pub const MANAGEMENT_ACCOUNT: AccountId = AccountId(111_111_111_111);

/// What the command line settles once.
#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    /// How long `CreateAccount` stays `IN_PROGRESS`.
    pub create_account: SignedDuration,
    /// Every simulated wait is divided by this.
    pub time_scale: u32,
}

pub struct World {
    pub settings: Settings,
    pub organizations: organizations::State,
    pub sts: sts::State,
    pub accessanalyzer: accessanalyzer::State,
    pub account: account::State,
    pub iam: iam::State,
    pub s3: s3::State,
    pub s3control: s3control::State,
    pub cloudtrail: cloudtrail::State,
    pub config: config::State,
    pub ec2: ec2::State,
    pub events: events::State,
    pub guardduty: guardduty::State,
    pub securityhub: securityhub::State,
    pub sqs: sqs::State,
    pub stacks: stacks::State,
    random: rand::rngs::SmallRng,
}

impl World {
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        use rand::SeedableRng;
        let mut world = World {
            random: rand::rngs::SmallRng::seed_from_u64(settings.seed),
            settings,
            organizations: organizations::State::default(),
            sts: sts::State::default(),
            stacks: stacks::State::default(),
            accessanalyzer: accessanalyzer::State::default(),
            account: account::State::default(),
            iam: iam::State::default(),
            s3: s3::State::default(),
            s3control: s3control::State::default(),
            cloudtrail: cloudtrail::State::default(),
            config: config::State::default(),
            ec2: ec2::State::default(),
            events: events::State::default(),
            guardduty: guardduty::State::default(),
            securityhub: securityhub::State::default(),
            sqs: sqs::State::default(),
        };
        organizations::found(&mut world, now);
        iam::found(&mut world, now);
        world
    }

    /// A simulated wait: `duration` shortened by the time scale.
    pub fn wait(&self, duration: SignedDuration) -> SignedDuration {
        duration / i32::try_from(self.settings.time_scale.max(1)).unwrap_or(i32::MAX)
    }

    /// `n` characters of `alphabet`, from the seeded generator: ids repeat from run to run.
    pub fn random_text(&mut self, n: usize, alphabet: &[u8]) -> String {
        use rand::Rng;
        (0..n)
            .map(|_| char::from(alphabet[self.random.random_range(0..alphabet.len())]))
            .collect()
    }

    /// Lower-case letters and digits, as in `o-…`, `ou-…` and `car-…`.
    pub fn random_id(&mut self, n: usize) -> String {
        self.random_text(n, b"abcdefghijklmnopqrstuvwxyz0123456789")
    }

    /// Hexadecimal digits, as in a detector's id.
    pub fn random_hex(&mut self, n: usize) -> String {
        self.random_text(n, b"0123456789abcdef")
    }

    /// A number below `bound`.
    pub fn random_below(&mut self, bound: u64) -> u64 {
        use rand::Rng;
        self.random.random_range(0..bound)
    }

    /// Carries out what services finish on their own and has come due by `now`: accounts that are created or closed,
    /// Regions that are enabled. To be called before a call is authorized.
    pub fn settle(&mut self, now: Timestamp) {
        organizations::settle(self, now);
        account::settle(self, now);
    }

    /// Whether an account answers calls at all: it exists, is not closed or suspended, and the Region is enabled in it.
    pub fn answers(&self, account: AccountId, region: Region) -> bool {
        self.organizations.is_active(account) && self.account.region_enabled(account, region)
    }
}

//! [`Args`], the command line as people type it. Flags carry the names of the API's fields.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use connectory::Plan;
use std::path::PathBuf;
use std::time::Duration;

/// The registry of auth connections: at most one per profile and domain.
#[derive(Debug, Parser)]
#[command(
    name = "connectory",
    version,
    about,
    max_term_width = 100,
    after_help = "\
Examples:
  Keep a profile logged in to a domain, and learn who holds the pair:
    connectory create --domain netflix.com --profile-name user-123
  Get the connection, whether or not it is new:
    connectory ensure --domain netflix.com --profile-name user-123
  Move a registry:
    connectory dump | connectory --store ./elsewhere load
  Salvage what is intact of a damaged one:
    connectory recover accounts.connectory salvaged.connectory

Exit status:
  0 done   1 failed   2 refused, in use or over quota   3 conflict   4 not found"
)]
pub(crate) struct Args {
    /// The directory of the stores [default: connectory in the platform's data directory]
    #[arg(long, global = true, value_name = "DIR", env = "CONNECTORY_STORE", value_hint = ValueHint::DirPath)]
    pub(crate) store: Option<PathBuf>,

    /// The project, each a store of its own
    #[arg(long, global = true, value_name = "ID", default_value = "default")]
    pub(crate) project: String,

    /// How to print answers [default: table on a terminal, json elsewhere]
    #[arg(short, long, global = true, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,

    /// The project's plan, which sets the shortest health check interval: enterprise, startup or hobbyist
    #[arg(long, global = true, value_name = "PLAN", default_value = "enterprise")]
    pub(crate) plan: Plan,

    /// The most connections that the project may have [default: no cap]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) cap: Option<u64>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// As the API gives them
    Json,
    /// For people
    Table,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a connection, or say who holds the pair
    #[command(after_help = "\
Examples:
  connectory create --domain netflix.com --profile-name user-123
  connectory create --domain crm.example.com --profile-name sales \\
    --login-url https://crm.example.com/login --credential-provider my-1p --credential-auto \\
    --allowed-domain login.example.com --health-check-interval 1800
  connectory create --domain netflix.com --profile-name user-123 --idempotency-key job-42

Prints the connection and exits with 0, or prints the conflict with the holder's ID and exits with 3.")]
    Create(CreateArgs),

    /// Create a connection, or return the one that holds the pair
    #[command(after_help = "\
Example:
  connectory ensure --domain netflix.com --profile-name user-123 | jq -r .id")]
    Ensure(CreateArgs),

    /// Show a connection
    Get {
        /// The connection's ID
        id: String,
    },

    /// Show the connection of a profile and a domain
    Find {
        /// The profile
        #[arg(long, value_name = "NAME")]
        profile_name: String,
        /// The domain
        #[arg(long, value_name = "HOST")]
        domain: String,
    },

    /// List connections, newest first
    #[command(after_help = "\
Examples:
  connectory list --domain netflix.com
  connectory list --query user-1 --limit 50
  connectory list --all -o json")]
    List(ListArgs),

    /// Change a connection; only what is named changes
    #[command(after_help = "\
Examples:
  connectory update ma_01k... --health-check-interval 7200 --no-auto-reauth
  connectory update ma_01k... --login-url '' --no-proxy")]
    Update(UpdateArgs),

    /// Delete a connection; its pair is free at once
    Delete {
        /// The connection's ID
        id: String,
    },

    /// Write down what a login driver saw
    #[command(after_help = "\
Examples:
  connectory record ma_01k... --status AUTHENTICATED --can-reauth-reason has_credential
  echo '{\"flow\":{\"flow_type\":\"LOGIN\",\"flow_status\":\"IN_PROGRESS\"}}' | connectory record ma_01k... --json -")]
    Record(RecordArgs),

    /// List profiles, or delete one
    #[command(args_conflicts_with_subcommands = true)]
    Profiles {
        #[command(flatten)]
        page: PageArgs,
        #[command(subcommand)]
        command: Option<ProfilesCommand>,
    },

    /// List proxies, register or remove one
    #[command(args_conflicts_with_subcommands = true)]
    Proxies {
        #[command(flatten)]
        page: PageArgs,
        #[command(subcommand)]
        command: Option<ProxiesCommand>,
    },

    /// List what happened, oldest first
    #[command(after_help = "\
With --follow each change is a line, as JSON or in the same columns. The store is open only while it is \
looked at, twice a second where its file was written: others may use it, and what they did appears when \
they have closed it. A store that is not there yet, or in use, is waited for. Where changes are no longer \
kept, standard error says so, and it goes on from the oldest. Ends with Ctrl-C, after --limit changes, or \
when nobody reads what it prints.

Examples:
  connectory changes --since 42
  connectory changes --follow | jq --unbuffered -r .connection.domain")]
    Changes {
        /// Only what happened after this number
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        since: u64,
        /// The most changes to list [default: 100, with --follow all]
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Go on as changes happen
        #[arg(short, long)]
        follow: bool,
    },

    /// Create a connection for every line of a file
    #[command(after_help = "\
Each line is the JSON of a create request; IDs are new. Prints a line of outcome for each and a summary.
A second import of the same file reports conflicts and changes nothing.

Examples:
  connectory import accounts.jsonl
  generate | connectory import - > outcomes.jsonl")]
    Import {
        /// JSON Lines of create requests, or - for standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },

    /// Write the whole store to standard output as JSON Lines
    Dump,

    /// Fill an empty store from a dump
    Load {
        /// The dump, or - for standard input
        #[arg(default_value = "-", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },

    /// Copy the store into a new file
    Backup {
        /// The file to write, which must not exist
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },

    /// Check that records, indexes and pages agree
    Check,

    /// Salvage what is intact of a damaged store into a new one
    #[command(after_help = "\
FILE is the file of a store, PROJECT.connectory; the log beside it, PROJECT.connectory-log, is read too where there is
one. Neither is changed, and both may be on read-only media. NEW gets its name when it is whole and was checked.
Prints what is there, what is lost, and what may be older than what was lost.

Exits with 0 if everything is there as it last was, and with 1 if anything may be missing.

Example:
  connectory recover ~/.local/share/connectory/default.connectory ./salvaged/default.connectory")]
    Recover {
        /// The damaged store
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The file to write, which must not exist
        #[arg(value_hint = ValueHint::FilePath)]
        new: PathBuf,
    },

    /// Show what the store holds
    Stats,

    /// Serve the HTTP API
    #[command(after_help = "\
Without --keys everyone on this machine may do everything, on this project alone, and nobody else anything.
The file of --keys is JSON:
  {\"projects\": {\"default\": {\"plan\": \"startup\", \"cap\": 1000}},
   \"keys\": [{\"sha256\": \"...\", \"projects\": [\"default\"], \"scopes\": [\"read\", \"write\"]}]}
where sha256 is the digest of a key: printf %s \"$KEY\" | sha256sum
A key of 256 random bits, as openssl rand -hex 32 makes them, cannot be guessed: wrong ones are not counted.

However many connections there are, whoever asks at once is answered: for one too many the client goes that was
waited for longest, those that were served last. There are fewer than --connections where the limit on open files is
lower. Besides: heads of 32 KiB and 64 lines, bodies of 64 KiB, four dumps and loads at a time.

Examples:
  connectory serve
  connectory serve --listen 0.0.0.0:8787 --keys keys.json
  curl -d '{\"domain\":\"netflix.com\",\"profile_name\":\"user-123\"}' -H 'content-type: application/json' \\
    http://127.0.0.1:8787/auth/connections")]
    Serve {
        /// The address to listen on
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8787")]
        listen: std::net::SocketAddr,
        /// A file that says which keys open which projects
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        keys: Option<PathBuf>,
        #[command(flatten)]
        bounds: BoundsArgs,
    },

    /// Print completions for a shell
    #[command(after_help = "\
Example:
  connectory completions bash > ~/.local/share/bash-completion/completions/connectory")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CreateArgs {
    /// The domain to be logged in to: a bare host name
    #[arg(long, value_name = "HOST")]
    pub(crate) domain: String,
    /// The profile to keep logged in; created if it does not exist
    #[arg(long, value_name = "NAME")]
    pub(crate) profile_name: String,
    /// A key under which the same request may be sent again
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// What create and update may both set.
#[derive(Debug, ClapArgs)]
pub(crate) struct SettingsArgs {
    /// The page where the login starts
    #[arg(long, value_name = "URL")]
    pub(crate) login_url: Option<String>,
    /// The proxy to go through, by its ID
    #[arg(long, value_name = "ID")]
    pub(crate) proxy_id: Option<String>,
    /// The proxy to go through, by its name
    #[arg(long, value_name = "NAME")]
    pub(crate) proxy_name: Option<String>,
    /// The credential's name
    #[arg(long, value_name = "NAME")]
    pub(crate) credential_name: Option<String>,
    /// The credential's external provider
    #[arg(long, value_name = "NAME")]
    pub(crate) credential_provider: Option<String>,
    /// The credential's path at its provider
    #[arg(long, value_name = "PATH")]
    pub(crate) credential_path: Option<String>,
    /// Let the provider look the credential up by domain
    #[arg(long)]
    pub(crate) credential_auto: bool,
    /// A further host that belongs to the login; may be repeated
    #[arg(long = "allowed-domain", value_name = "HOST")]
    pub(crate) allowed_domains: Vec<String>,
    /// Seconds between health checks, 300 to 86400
    #[arg(long, value_name = "SECONDS")]
    pub(crate) health_check_interval: Option<String>,
    #[command(flatten)]
    pub(crate) switches: SwitchArgs,
}

/// The settings that are on or off; of two opposite flags the last one counts.
#[derive(Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct SwitchArgs {
    /// Check health (the default)
    #[arg(long, overrides_with = "no_health_checks")]
    pub(crate) health_checks: bool,
    /// Do not check health
    #[arg(long)]
    pub(crate) no_health_checks: bool,
    /// Log in again when a health check fails (the default)
    #[arg(long, overrides_with = "no_auto_reauth")]
    pub(crate) auto_reauth: bool,
    /// Do not log in again when a health check fails
    #[arg(long)]
    pub(crate) no_auto_reauth: bool,
    /// Keep the credentials that a login used (the default)
    #[arg(long, overrides_with = "no_save_credentials")]
    pub(crate) save_credentials: bool,
    /// Do not keep the credentials that a login used
    #[arg(long)]
    pub(crate) no_save_credentials: bool,
    /// Record browser sessions
    #[arg(long, overrides_with = "no_record_session")]
    pub(crate) record_session: bool,
    /// Do not record browser sessions (the default)
    #[arg(long)]
    pub(crate) no_record_session: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct UpdateArgs {
    /// The connection's ID
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Take the proxy away
    #[arg(long, conflicts_with_all = ["proxy_id", "proxy_name"])]
    pub(crate) no_proxy: bool,
    /// Take the credential away
    #[arg(long, conflicts_with_all = ["credential_name", "credential_provider", "credential_path", "credential_auto"])]
    pub(crate) no_credential: bool,
    /// Take the further hosts away
    #[arg(long, conflicts_with = "allowed_domains")]
    pub(crate) no_allowed_domains: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    /// Only those of this profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile_name: Option<String>,
    /// Only those of this domain
    #[arg(long, value_name = "HOST")]
    pub(crate) domain: Option<String>,
    /// Only the one with this ID, and those whose domain or profile name begins with this
    #[arg(long, value_name = "TEXT")]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PageArgs {
    /// The most to list, 1 to 100 [default: 20]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<String>,
    /// Where to go on, as the page before said
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// List all pages
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    pub(crate) all: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RecordArgs {
    /// The connection's ID
    pub(crate) id: String,
    /// Whether the profile is logged in: `AUTHENTICATED` or `NEEDS_AUTH`
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// Why it can or cannot be logged in again without a person; sets `can_reauth` too
    #[arg(long, value_name = "REASON")]
    pub(crate) can_reauth_reason: Option<String>,
    /// When health was last checked, as RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) last_auth_check_at: Option<String>,
    /// Where the last login ended
    #[arg(long, value_name = "URL")]
    pub(crate) post_login_url: Option<String>,
    /// A file with more of the observation as JSON, such as the flow; - for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) json: Option<PathBuf>,
}

/// What clients of the server may take.
#[derive(Debug, ClapArgs)]
pub(crate) struct BoundsArgs {
    /// The most connections at a time; for one more, the one whose client was waited for longest is closed
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,
    /// How long a connection may be idle, or take to send a request's head
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub(crate) head_timeout: Duration,
    /// How long a request's body may take, a load may pause, or an answer go unread
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) body_timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfilesCommand {
    /// Delete a profile that has no connections
    Delete {
        /// The profile's name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProxiesCommand {
    /// Register a proxy, or give it another name
    Register {
        /// The proxy's ID
        id: String,
        /// Its name
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove a proxy that no connection uses
    Remove {
        /// The proxy's ID
        id: String,
    },
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let range = Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);
    let fault = "is no such time; send seconds, 0.001 to 86400";
    seconds.filter(|seconds| range.contains(seconds)).ok_or_else(|| fault.into())
}

//! `serve`: the HTTP API on a socket. The API itself is `connectory::http`; what is here listens, limits and logs.

mod body;
mod descriptors;
mod guests;
mod metrics;
mod parts;
mod patience;
mod server;
mod service;
mod stores;
mod wire;

use crate::args::{Args, BoundsArgs};
use crate::outcome::{DONE, Failure, Outcome};
use crate::output::tell;
use connectory::Limits;
use connectory::http::{Access, Api};
use server::Server;
use service::Service;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use stores::ProjectStores;

pub(crate) fn serve(
    args: &Args,
    listen: SocketAddr,
    keys: Option<&Path>,
    bounds: &BoundsArgs,
) -> Outcome {
    let access = match keys {
        Some(file) => {
            let about = |failure: Failure| failure.about(&file.display().to_string());
            let rules = std::fs::read(file).map_err(|error| about(error.into()))?;
            Access::from_json(&rules).map_err(|refusal| about(refusal.into()))?
        }
        None if !listen.ip().is_loopback() => {
            return Err(Failure::refused(format!(
                "--listen: {listen} can be reached from elsewhere; say with --keys who may do what, or listen on 127.0.0.1"
            )));
        }
        None => Access::open(&args.project, Limits { plan: args.plan, cap: args.cap }),
    };
    let stores = Arc::new(ProjectStores::new(args)?);
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let most = descriptors::room_for(bounds.connections, access.projects().count());
    if most < bounds.connections {
        tell(&format!("the limit on open files leaves room for {most} connections at a time"));
    }
    let api = Api::new(access, Arc::clone(&stores));
    let service = Service::new(api, Arc::clone(&stores), bounds.body_timeout);
    let server = Server::new(service, most, bounds);
    let ended = runtime.block_on(server.run(listen));
    // Whatever ended it, no store stays open.
    stores.close()?;
    ended?;
    DONE
}

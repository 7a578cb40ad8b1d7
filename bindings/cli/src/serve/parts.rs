//! [`Parts`], a body that is made while it is sent. It is whole only if its maker said so: one that goes away cuts it off.

use hyper::body::{Body, Bytes, Frame};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Parts that wait to be sent.
const AHEAD: usize = 2;

pub(crate) enum Part {
    Bytes(Bytes),
    End,
}

pub(crate) struct Parts(mpsc::Receiver<Part>);

impl Parts {
    pub(crate) fn new() -> (mpsc::Sender<Part>, Self) {
        let (sender, receiver) = mpsc::channel(AHEAD);
        (sender, Self(receiver))
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|part| match part {
            Some(Part::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Part::End) => None,
            None => Some(Err(io::Error::other("the body was given up"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::pin::pin;
    use std::task::Waker;

    fn collected(parts: Parts) -> Option<Bytes> {
        match pin!(parts.collect()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(collected)) => Some(collected.to_bytes()),
            Poll::Ready(Err(_)) => None,
            Poll::Pending => panic!("all was sent"),
        }
    }

    #[test]
    fn a_body_is_all_that_was_sent_before_its_end() {
        let (sender, parts) = Parts::new();
        sender.try_send(Part::Bytes("all".into())).ok().unwrap();
        sender.try_send(Part::End).ok().unwrap();
        drop(sender);
        assert_eq!(collected(parts).unwrap(), "all");
    }

    #[test]
    fn a_body_whose_maker_goes_away_is_no_shorter_one() {
        let (sender, parts) = Parts::new();
        sender.try_send(Part::Bytes("half".into())).ok().unwrap();
        drop(sender);
        assert!(collected(parts).is_none());
    }
}

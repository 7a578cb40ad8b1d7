//! Whether all engines answer alike: a comparison of registries that differ would compare nothing.

use crate::contender::Contender;
use crate::peer::{Creation, Found, Id, List, Outcome, Peer};
use crate::record::Record;
use connectory::{HealthCheckInterval, NewConnection};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Barrier;

const STEPS: usize = 300;
const CALLERS: usize = 8;

/// An answer with IDs replaced by the number of the create that made them: alike on all engines.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Created(usize),
    Conflict(usize),
    Found(Vec<(usize, Record)>),
}

/// One registry and the IDs that it handed out.
struct Subject {
    name: &'static str,
    peer: Box<dyn Peer>,
    ids: Vec<Id>,
    numbers: HashMap<Id, usize>,
}

/// What is asked of every registry; connections are named by number.
#[derive(Debug, Clone)]
enum Step {
    Create(NewConnection),
    CreateMany(Vec<NewConnection>),
    Get(usize),
    List(List, usize),
}

impl Subject {
    fn new(name: &'static str, peer: Box<dyn Peer>) -> Self {
        Self { name, peer, ids: Vec::new(), numbers: HashMap::new() }
    }

    fn number(&self, id: Id) -> Outcome<usize> {
        self.numbers.get(&id).copied().ok_or_else(|| format!("{id} was never created").into())
    }

    fn note(&mut self, creation: Creation) -> Outcome<Answer> {
        match creation {
            Creation::Conflict(id) => Ok(Answer::Conflict(self.number(id)?)),
            Creation::Created(id) => {
                let number = self.ids.len();
                self.ids.push(id);
                match self.numbers.insert(id, number) {
                    None => Ok(Answer::Created(number)),
                    Some(_) => Err(format!("{id} was created twice").into()),
                }
            }
        }
    }

    fn found(&self, found: impl IntoIterator<Item = Found>) -> Outcome<Answer> {
        let numbered = |found: Found| Ok((self.number(found.id())?, found.into_record()));
        Ok(Answer::Found(found.into_iter().map(numbered).collect::<Outcome<_>>()?))
    }

    fn run(&mut self, step: Step) -> Outcome<Vec<Answer>> {
        Ok(match step {
            Step::Create(request) => {
                let creation = self.peer.create(request)?;
                vec![self.note(creation)?]
            }
            Step::CreateMany(requests) => {
                let creations = self.peer.create_many(requests)?;
                creations.into_iter().map(|it| self.note(it)).collect::<Outcome<_>>()?
            }
            Step::Get(number) => match self.ids.get(number) {
                Some(&id) => vec![self.found(self.peer.get(id)?)?],
                None => Vec::new(),
            },
            Step::List(list, most) => vec![self.found(self.peer.list(list, most)?)?],
        })
    }
}

fn request(random: &mut fastrand::Rng) -> Outcome<NewConnection> {
    // One name begins another, and so does one domain.
    let name = random.choice(["a", "a.b", "user", "user-1", "user-12", "z"]).unwrap_or("a");
    let domain = random.choice(["a.com", "b.com", "sub.a.com", "a.company"]).unwrap_or("a.com");
    let profile = format!("{name}{}", random.u8(..4));
    let mut request = NewConnection::new(domain.parse()?, profile.parse()?);
    if random.bool() {
        request.record_session = Some(random.bool());
        request.login_url = Some(format!("https://{domain}/login").parse()?);
        request.health_check_interval = Some(HealthCheckInterval::new(random.u32(300..86_400))?);
    }
    Ok(request)
}

fn step(random: &mut fastrand::Rng) -> Outcome<Step> {
    Ok(match random.u8(..6) {
        0 => Step::Create(request(random)?),
        1 => {
            let many = random.usize(..20);
            Step::CreateMany((0..many).map(|_| request(random)).collect::<Outcome<_>>()?)
        }
        2 => Step::Get(random.usize(..100)),
        3 => Step::List(List::All, random.usize(1..30)),
        4 => Step::List(List::OfProfile(request(random)?.profile_name), random.usize(1..5)),
        _ => Step::List(List::OfDomain(request(random)?.domain), random.usize(1..30)),
    })
}

/// Runs a small random workload on every engine and compares the answers, also after closing and opening again,
/// and of many callers at once.
pub(crate) fn check(directory: &Path, seed: u64) -> Outcome<()> {
    let path = |contender: Contender| directory.join(contender.name());
    let mut subjects = Vec::new();
    for contender in Contender::ALL {
        let peer = contender.open(&path(contender), None)?;
        subjects.push(Subject::new(contender.name(), peer));
        if let Some(peer) = contender.in_memory(None)? {
            subjects.push(Subject::new("an engine in memory", peer));
        }
    }
    let mut random = fastrand::Rng::with_seed(seed);
    for number in 0..STEPS {
        let step = step(&mut random)?;
        compare(&mut subjects, &step).map_err(|error| format!("step {number}: {error}"))?;
    }
    let mut reopened = Vec::new();
    for Subject { name, peer, ids, numbers } in subjects {
        race(peer.as_ref()).map_err(|error| format!("{name}: {error}"))?;
        peer.close()?;
        if let Some(contender) = Contender::ALL.into_iter().find(|it| it.name() == name) {
            let peer = contender.open(&path(contender), None)?;
            reopened.push(Subject { name, peer, ids, numbers });
        }
    }
    let mut subjects = reopened;
    for number in 0..100 {
        compare(&mut subjects, &Step::Get(number))?;
        let request = request(&mut random)?;
        compare(&mut subjects, &Step::List(List::OfDomain(request.domain.clone()), 30))?;
        compare(&mut subjects, &Step::Create(request))?;
    }
    for subject in subjects {
        subject.peer.settle()?;
        subject.peer.close()?;
    }
    Ok(())
}

fn compare(subjects: &mut [Subject], step: &Step) -> Outcome<()> {
    let mut expected: Option<(&str, Vec<Answer>)> = None;
    for subject in subjects {
        let answers =
            subject.run(step.clone()).map_err(|error| format!("{}: {error}", subject.name))?;
        match &expected {
            None => expected = Some((subject.name, answers)),
            Some((first, expected)) if *expected != answers => {
                let name = subject.name;
                return Err(format!(
                    "{step:?}: {first} answers {expected:?}, but {name} {answers:?}"
                )
                .into());
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Many callers ask for the same pairs at once: each pair is created once, and everyone learns by whom.
fn race(peer: &dyn Peer) -> Outcome<()> {
    for round in 0..10 {
        let together = Barrier::new(CALLERS);
        let pair = || -> Outcome<NewConnection> {
            Ok(NewConnection::new("race.com".parse()?, format!("race-{round}").parse()?))
        };
        let creations = std::thread::scope(|scope| {
            let call = || {
                together.wait();
                peer.create(pair()?)
            };
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
            let join = |caller: std::thread::ScopedJoinHandle<'_, Outcome<Creation>>| {
                caller.join().map_err(|_| "a caller panicked")?
            };
            callers.into_iter().map(join).collect::<Outcome<Vec<_>>>()
        })?;
        let mut created = creations.iter().filter_map(|creation| match creation {
            Creation::Created(id) => Some(*id),
            Creation::Conflict(_) => None,
        });
        let (Some(holder), None) = (created.next(), created.next()) else {
            return Err(format!("one of them creates the pair, not {creations:?}").into());
        };
        let all_know = creations.iter().all(|creation| {
            matches!(creation, Creation::Created(id) | Creation::Conflict(id) if *id == holder)
        });
        if !all_know {
            return Err(format!("all learn who holds the pair, not {creations:?}").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_engines_answer_alike() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        check(tempfile::tempdir().unwrap().path(), seed).unwrap();
    }
}

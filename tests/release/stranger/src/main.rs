//! Somebody else's program: creates a connection in a file, is told who holds the pair, and finds it again after reopening.

use connectory::{Creation, NewConnection, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("say where the store is")?;
    let store = Store::open(&path)?;
    let request = NewConnection::new("netflix.com".parse()?, "user-123".parse()?);
    let Creation::Created(connection) = store.create(request.clone())? else {
        return Err("the pair was taken".into());
    };
    drop(store);

    match Store::open(&path)?.create(request)? {
        Creation::Conflict(conflict) if conflict.existing_id == connection.id => {
            println!("created, and held by the same");
            Ok(())
        }
        other => Err(format!("not a conflict with the holder: {other:?}").into()),
    }
}

//! Sends the body of a request at the speed of the server.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ropewalk_core::Failure;
use ropewalk_core::timer::sleep;

use super::agent_error::AgentProblem;
use super::connection::Connection;
use crate::body::Source;
use crate::headers::Headers;

/// How long a server is waited for that was asked whether it wants the body (RFC 9110 10.1.1: not for ever).
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends all that `source` gives, and its end.
pub(super) async fn upload(connection: Rc<Connection>, source: Source) -> Result<(), Failure> {
    if let Err(problem) = send(&connection, source).await {
        connection.fail_upload(problem); // whoever waits for the response hears of it
    }
    Ok(())
}

async fn send(connection: &Rc<Connection>, mut source: Source) -> Result<(), AgentProblem> {
    let mut patience = Box::pin(sleep(connection.transport.reactor(), PATIENCE));
    poll_fn(|context| match connection.poll_go_ahead(context) {
        Poll::Pending => patience.as_mut().poll(context).map(|_over| Ok(())),
        told => told,
    })
    .await?;
    drop(patience);
    let mut trailers = Headers::new();
    while let Some(frame) = poll_fn(|context| source.as_mut().poll_frame(context)).await {
        match frame.map_err(AgentProblem::Upload)?.into_data() {
            Ok(piece) if piece.is_empty() => {}
            Ok(piece) => {
                connection.send_chunk(&piece)?;
                poll_fn(|context| connection.poll_room(context)).await?;
            }
            Err(other) => {
                if let Ok(fields) = other.into_trailers() {
                    trailers = fields.into();
                }
            }
        }
    }
    connection.send_end(&trailers)
}

//! How a handshake goes from state to state.

use std::mem;

use super::MseError;

/// Where a handshake stands.
pub(super) enum Progress<S> {
    Running(S),
    Done,
    Failed(MseError),
}

/// What a step leads to.
pub(super) enum Flow<S, E> {
    /// Another state, in which the bytes that are there may do.
    Next(S),
    /// The state that needs more bytes.
    Wait(S),
    /// Something for the caller, and a state that waits for it.
    Tell(S, E),
    /// The end, and what comes of it.
    Done(E),
}

impl<S> Progress<S> {
    /// Steps until more bytes are needed or the caller has to know something. An error stays.
    pub(super) fn advance<E>(
        &mut self,
        mut step: impl FnMut(S) -> Result<Flow<S, E>, MseError>,
    ) -> Result<Option<E>, MseError> {
        loop {
            let state = match mem::replace(self, Self::Done) {
                Self::Running(state) => state,
                Self::Done => return Ok(None),
                Self::Failed(error) => return self.fail(error),
            };
            match step(state) {
                Ok(Flow::Next(state)) => *self = Self::Running(state),
                Ok(Flow::Wait(state)) => {
                    *self = Self::Running(state);
                    return Ok(None);
                }
                Ok(Flow::Tell(state, event)) => {
                    *self = Self::Running(state);
                    return Ok(Some(event));
                }
                Ok(Flow::Done(event)) => return Ok(Some(event)),
                Err(error) => return self.fail(error),
            }
        }
    }

    pub(super) fn fail<T>(&mut self, error: MseError) -> Result<T, MseError> {
        *self = Self::Failed(error);
        Err(error)
    }
}

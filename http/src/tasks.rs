//! Background tasks that end with the client.

use tokio_util::sync::CancellationToken;

/// Runs hyper's connection tasks until the token is cancelled.
#[derive(Clone, Debug)]
pub(crate) struct Tasks(CancellationToken);

impl Tasks {
    pub(crate) const fn new(token: CancellationToken) -> Self {
        Self(token)
    }
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that spawns: the client's token ends what runs here"
    )]
    fn execute(&self, task: F) {
        let token = self.0.clone();
        drop(tokio::spawn(async move {
            token.run_until_cancelled_owned(task).await;
        }));
    }
}

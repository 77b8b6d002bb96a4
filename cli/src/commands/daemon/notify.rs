//! Tells the service manager that started the daemon how it is (`sd_notify`). Without one, nothing happens.

/// It serves: what was to start after it may start.
pub(super) fn ready() {
    #[cfg(unix)]
    tell(&[sd_notify::NotifyState::Ready]);
}

/// It reads its configuration again; [`ready`] follows.
pub(super) fn reloading() {
    // systemd wants the time with it, to tell this answer from an earlier one.
    #[cfg(unix)]
    if let Ok(time) = sd_notify::NotifyState::monotonic_usec_now() {
        tell(&[sd_notify::NotifyState::Reloading, time]);
    }
}

/// It ends.
pub(super) fn stopping() {
    #[cfg(unix)]
    tell(&[sd_notify::NotifyState::Stopping]);
}

/// Says again and again that it lives, if the service manager asks for that (`WatchdogSec=`); to the end. It is a task of the
/// runtime that serves everything else: a daemon that hangs says nothing, and is started anew.
pub(super) async fn keep_alive() {
    #[cfg(unix)]
    if let Some(within) = sd_notify::watchdog_enabled() {
        // Twice in the time that it has.
        let every = (within / 2).max(std::time::Duration::from_millis(1));
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // A manager that reads nothing holds up this task alone.
            let told = tokio::task::spawn_blocking(|| tell(&[sd_notify::NotifyState::Watchdog]));
            let _ = told.await;
        }
    }
}

#[cfg(unix)]
fn tell(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("cannot tell the service manager: {error}");
    }
}

//! `tailwater verify`

use tailwater_metainfo::Metainfo;
use tailwater_session::{AddError, check};

use super::Context;
use crate::args::Verify;
use crate::error::CliError;
use crate::out;
use crate::progress::{OFTEN, count};
use crate::report::{self, Verdict};
use crate::size::Size;

pub(super) async fn run(context: &Context, args: &Verify) -> Result<(), CliError> {
    if !args.data.is_dir() {
        return Err(CliError::NotAFolder(args.data.clone()));
    }
    let metainfo = context.load(&args.source, &args.network).await?.metainfo;
    if metainfo.info().info_hashes().v1.is_none() {
        return Err(CliError::V2Only(metainfo.info().name().to_owned()));
    }
    let checking = verify(context, args, &metainfo);
    context.interrupt.guard(checking).await
}

async fn verify(context: &Context, args: &Verify, metainfo: &Metainfo) -> Result<(), CliError> {
    let info = metainfo.info();
    let geometry = info.geometry();
    let meter = context.progress.meter(info.name(), geometry.total(), OFTEN);
    let checked = check(metainfo, &args.data, move |done, total| {
        let bytes = u64::from(done)
            .saturating_mul(u64::from(geometry.piece_length()))
            .min(geometry.total());
        meter.set(bytes, format_args!("checking piece {done} of {total}"));
    });
    let failed = |error: AddError| CliError::Check {
        name: info.name().to_owned(),
        error,
    };
    let have = checked.await.map_err(failed)?;
    let files = report::report(info, &have, &args.data);
    for file in &files {
        match context.common.json() {
            true => out::json(file)?,
            false => out::line(file)?,
        }
    }
    let bad = files
        .iter()
        .filter(|file| file.verdict != Verdict::Ok)
        .count();
    if !context.common.json() {
        let (have, all) = (have.count(), geometry.piece_count());
        let size = Size(info.payload_len());
        match bad {
            0 => out::line(format_args!(
                "all right: {}, {size}",
                count(files.len(), "file")
            ))?,
            _ => out::line(format_args!(
                "{bad} of {} missing or wrong; {have} of {all} pieces are right",
                count(files.len(), "file")
            ))?,
        }
    }
    match bad {
        0 => Ok(()),
        _ => Err(CliError::Reported),
    }
}

//! Archive files: exported runs as JSON lines, one a line, compressed with gzip. Each line is what `onward runs export` gives, so
//! `onward replay` reads it.

use crate::{App, Problem, endpoints};
use flate2::{Compression, write::GzEncoder};
use onward_core::{OrganisationId, RunId};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Bytes of runs, before compression, after which the next file is begun.
const FILE_BYTES: usize = 64 << 20;

/// Where archived runs go.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

/// Why runs could not be archived.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The folder or a file in it.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl Archive {
    /// Into this folder, which is made where it is not there; only its owner may read what is in it.
    pub fn open(folder: PathBuf) -> Result<Self, ArchiveError> {
        make_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Writes runs into files and returns those that are safely on the disk. One that is not there any more is left out, and so is one
    /// that cannot be read: it stays, and the log says why.
    pub(super) async fn keep(&self, app: &App, organisation: OrganisationId, runs: Vec<RunId>) -> Result<Vec<RunId>, ArchiveError> {
        let (mut kept, mut lines, mut in_file) = (Vec::with_capacity(runs.len()), Vec::new(), Vec::new());
        for run in runs {
            match endpoints::exported(app, organisation, run).await {
                Ok(export) => {
                    lines.extend_from_slice(export.to_string().as_bytes());
                    lines.push(b'\n');
                    in_file.push(run);
                }
                Err(problem) if problem.code() == Problem::not_found("run", run).code() => {}
                Err(problem) => tracing::error!(%run, problem = problem.detail(), "a run cannot be archived, so it is kept"),
            }
            if lines.len() >= FILE_BYTES {
                self.write(organisation, &mut lines, &mut in_file, &mut kept).await?;
            }
        }
        self.write(organisation, &mut lines, &mut in_file, &mut kept).await?;
        Ok(kept)
    }

    async fn write(&self, organisation: OrganisationId, lines: &mut Vec<u8>, in_file: &mut Vec<RunId>, kept: &mut Vec<RunId>) -> Result<(), ArchiveError> {
        let (Some(first), Some(last)) = (in_file.first().copied(), in_file.last().copied()) else { return Ok(()) };
        let folder = self.folder.join(organisation.to_string());
        // The same runs give the same name: what a process began that ended in the middle of it is written again, in its place.
        let file = folder.join(format!("runs-{first}-{last}.jsonl.gz"));
        let lines = std::mem::take(lines);
        let written = tokio::task::spawn_blocking(move || write_file(&folder, &file, &lines));
        written.await.map_err(|error| ArchiveError::File { path: self.folder.clone(), error: io::Error::other(error) })??;
        kept.append(in_file);
        Ok(())
    }
}

/// Writes a file, compressed, and returns when it and its name are on the disk.
fn write_file(folder: &Path, file: &Path, lines: &[u8]) -> Result<(), ArchiveError> {
    make_folder(folder)?;
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let write = || {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut encoder = GzEncoder::new(options.open(&part)?, Compression::default());
        encoder.write_all(lines)?;
        encoder.finish()?.sync_all()?;
        fs::rename(&part, file)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| ArchiveError::File { path: file.to_owned(), error })
}

fn make_folder(folder: &Path) -> Result<(), ArchiveError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| ArchiveError::File { path: folder.to_owned(), error })
}

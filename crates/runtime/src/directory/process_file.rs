//! The process file: who this process is to the others of its application, in Java's JSON.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DirectoryError, layout};

/// What the file says. Fields that are not known are ignored.
#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(rename = "processId")]
    process_id: Option<String>,
}

/// The id in the file, or `new_id`, which is then written. A file that cannot be understood is written anew.
pub(super) fn read_or_write(directory: &Path, new_id: impl FnOnce() -> Uuid) -> Result<Uuid, DirectoryError> {
    let path = directory.join(layout::PROCESS);
    let known = fs::read_to_string(&path).ok().and_then(|text| {
        let content = serde_json::from_str::<Content>(&text);
        if let Err(error) = &content {
            tracing::warn!(file = %path.display(), %error, "the process file is unreadable and is written anew");
        }
        Uuid::parse_str(&content.ok()?.process_id?).ok()
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let fresh = new_id();
    let text = serde_json::to_string(&Content { process_id: Some(fresh.to_string()) });
    text.map_err(std::io::Error::other)
        .and_then(|text| layout::replace(&path, &text, true))
        .map_err(|error| DirectoryError::unusable(&path, "written", &error))?;
    Ok(fresh)
}

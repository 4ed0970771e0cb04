//! What a Kafka Streams member tells its leader beside the subscription (Java's `SubscriptionInfo`).

use std::collections::BTreeMap;

use headwater_topology::TaskId;
use uuid::Uuid;

use super::bytes::{Reader, Writer};
use super::{CodecError, LATEST_VERSION};

/// The offset sum of a task that runs as active (Java's `Task.LATEST_OFFSET`).
pub const LATEST_OFFSET: i64 = -2;
/// The offset sum of a task of which a member has something, but not how much (`SubscriptionInfo.UNKNOWN_OFFSET_SUM`).
pub const UNKNOWN_OFFSET: i64 = -3;

const WHAT: &str = "SubscriptionInfo";
/// The first version with the sender's newest version; of versions that are too new, only these two are read.
const FIRST_WITH_LATEST: i32 = 3;
const FIRST_WITH_OFFSET_SUMS: i32 = 7;
const FIRST_WITH_FLAT_OFFSET_SUMS: i32 = 10;

/// What a member tells its leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionInfo {
    /// The version of these bytes.
    pub version: i32,
    /// The newest version that the member speaks.
    pub latest_version: i32,
    /// The member's process.
    pub process_id: Uuid,
    /// `application.server`, empty when not set.
    pub end_point: String,
    /// Offset sums of tasks with state. Versions before 7 say only which tasks run here and which are standbys; they are read as
    /// [`LATEST_OFFSET`] and [`UNKNOWN_OFFSET`].
    pub offset_sums: BTreeMap<TaskId, i64>,
    /// Differs each time, so that a member that joins again with nothing new is heard all the same.
    pub unique: i8,
    /// 0, or 4 when the member wants the whole application to close.
    pub error_code: i32,
    /// `client.tag.*`.
    pub client_tags: Vec<(String, String)>,
}

impl SubscriptionInfo {
    /// Of the newest version, with nothing to tell.
    pub fn new(process_id: Uuid) -> Self {
        SubscriptionInfo {
            version: LATEST_VERSION,
            latest_version: LATEST_VERSION,
            process_id,
            end_point: String::new(),
            offset_sums: BTreeMap::new(),
            unique: 0,
            error_code: 0,
            client_tags: Vec::new(),
        }
    }

    /// Its bytes, in its version; what that version has no field for is left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i32(self.version);
        if self.version >= FIRST_WITH_LATEST {
            out.put_i32(self.latest_version);
        }
        out.extend_from_slice(self.process_id.as_bytes());
        if self.version < FIRST_WITH_OFFSET_SUMS {
            self.put_previous_tasks(&mut out);
        }
        if self.version >= 2 {
            out.put_bytes(self.end_point.as_bytes());
        }
        if self.version >= FIRST_WITH_FLAT_OFFSET_SUMS {
            out.put_count(self.offset_sums.len());
            for (task, sum) in &self.offset_sums {
                put_task(&mut out, *task);
                out.put_i64(*sum);
                out.put_i16(-1);
            }
        } else if self.version >= FIRST_WITH_OFFSET_SUMS {
            self.put_grouped_sums(&mut out);
        }
        if self.version >= 8 {
            out.put_i8(self.unique);
        }
        if self.version >= 9 {
            out.put_i32(self.error_code);
        }
        if self.version >= 11 {
            out.put_count(self.client_tags.len());
            for (key, value) in &self.client_tags {
                out.put_bytes(key.as_bytes());
                out.put_bytes(value.as_bytes());
            }
        }
        out
    }

    fn put_previous_tasks(&self, out: &mut Vec<u8>) {
        for active in [true, false] {
            let tasks = self.offset_sums.iter().filter(|(_, sum)| (**sum == LATEST_OFFSET) == active);
            out.put_count(tasks.clone().count());
            for (task, _) in tasks {
                put_task(out, *task);
            }
        }
    }

    fn put_grouped_sums(&self, out: &mut Vec<u8>) {
        let mut groups: BTreeMap<i32, Vec<(i32, i64)>> = BTreeMap::new();
        for (task, sum) in &self.offset_sums {
            groups.entry(task.subtopology.number()).or_default().push((task.partition, *sum));
        }
        out.put_count(groups.len());
        for (subtopology, sums) in groups {
            out.put_i32(subtopology);
            out.put_count(sums.len());
            for (partition, sum) in sums {
                out.put_i32(partition);
                out.put_i64(sum);
            }
        }
    }

    /// Understands versions 1 to 11. Of newer ones only the two versions are read, the rest is as of [`SubscriptionInfo::new`].
    ///
    /// # Errors
    /// [`CodecError`] for bytes that mean nothing.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut input = Reader::new(WHAT, bytes);
        let mut info = SubscriptionInfo::new(Uuid::nil());
        info.version = input.i32()?;
        if info.version < 1 {
            return Err(input.invalid("version", info.version));
        }
        info.latest_version = if info.version >= FIRST_WITH_LATEST { input.i32()? } else { info.version };
        if info.version > LATEST_VERSION {
            return Ok(info);
        }
        info.process_id = Uuid::from_bytes(input.array()?);
        if info.version < FIRST_WITH_OFFSET_SUMS {
            let active = input.list("previous tasks", task)?;
            let standby = input.list("standby tasks", task)?;
            info.offset_sums.extend(standby.into_iter().map(|task| (task, UNKNOWN_OFFSET)));
            info.offset_sums.extend(active.into_iter().map(|task| (task, LATEST_OFFSET)));
        }
        if info.version >= 2 {
            info.end_point = text(&mut input, "end point")?;
        }
        if info.version >= FIRST_WITH_FLAT_OFFSET_SUMS {
            info.offset_sums = input.list("offset sums", flat_sum)?.into_iter().collect();
        } else if info.version >= FIRST_WITH_OFFSET_SUMS {
            info.offset_sums = input.list("offset sums", grouped_sums)?.into_iter().flatten().collect();
        }
        if info.version >= 8 {
            info.unique = input.i8()?;
        }
        if info.version >= 9 {
            info.error_code = input.i32()?;
        }
        if info.version >= 11 {
            info.client_tags =
                input.list("client tags", |input| Ok((text(input, "tag's name")?, text(input, "tag's value")?)))?;
        }
        input.end()?;
        Ok(info)
    }
}

fn put_task(out: &mut Vec<u8>, task: TaskId) {
    out.put_i32(task.subtopology.number());
    out.put_i32(task.partition);
}

fn task(input: &mut Reader<'_>) -> Result<TaskId, CodecError> {
    Ok(TaskId::new(input.i32()?, input.i32()?))
}

/// With the name of a named topology, which no application of ours has.
fn flat_sum(input: &mut Reader<'_>) -> Result<(TaskId, i64), CodecError> {
    let sum = (task(input)?, input.i64()?);
    input.nullable_string("named topology")?;
    Ok(sum)
}

fn grouped_sums(input: &mut Reader<'_>) -> Result<Vec<(TaskId, i64)>, CodecError> {
    let subtopology = input.i32()?;
    input.list("offset sums of a sub-topology", |input| Ok((TaskId::new(subtopology, input.i32()?), input.i64()?)))
}

fn text(input: &mut Reader<'_>, field: &'static str) -> Result<String, CodecError> {
    let bytes = input.bytes(field)?;
    String::from_utf8(bytes.to_vec()).map_err(|error| input.invalid(field, error))
}

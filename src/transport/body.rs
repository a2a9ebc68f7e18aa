//! How much of an answer is read: in bytes, decompressed, and in the memory that it takes as JSON values.
//!
//! 59 KiB of gzip are 64 MiB of `[],[],[],…`, and those are gigabytes of values. So each answer may be as large as the
//! request allows, and a text that is mostly brackets and commas is refused before it is parsed.

use bytes::Bytes;
use bytes::BytesMut;

/// The part of an error body that is read: no caller reads further.
const ERROR: usize = 64 << 10;

/// The limit of one resource, or of a document of the service.
const RESOURCE: usize = 4 << 20;

/// The limit of a page: a listing of a target that answers with everything on one page, 30,000 users of 2 KiB; or a
/// group with all its members.
pub(super) const PAGE: usize = 64 << 20;

/// The upper bound of the memory for a byte of usual JSON, as values.
const GROWTH: usize = 8;

/// The memory of a list item or a field, as a value.
const ITEM: usize = 32;

/// The memory of a JSON object beside its items: room for eleven fields is reserved at once.
const OBJECT: usize = 640;

/// How large an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// One resource or document.
    Resource,
    /// A page of many, or a resource that refers to many.
    Page,
}

impl Size {
    const fn bytes(self) -> usize {
        match self {
            Self::Resource => RESOURCE,
            Self::Page => PAGE,
        }
    }
}

/// Why reading of a body stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// More bytes than this.
    Bytes(usize),
    /// More memory than this, as values.
    Memory(usize),
}

/// A body under way.
#[derive(Debug)]
pub(super) struct Body {
    read: BytesMut,
    limit: usize,
    /// True for an error: its beginning is enough.
    cut: bool,
    weight: usize,
}

impl Body {
    /// Begins the body of a good answer, or of an error. `most`: what the settings allow; `announced`: believed only to
    /// refuse early and to reserve room once.
    pub(super) fn new(is_error: bool, size: Size, most: usize, announced: u64) -> Result<Self, Beyond> {
        let limit = if is_error { ERROR } else { size.bytes() }.min(most);
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > limit && !is_error {
            return Err(Beyond::Bytes(limit));
        }
        Ok(Self {
            read: BytesMut::with_capacity(announced.min(limit)),
            limit,
            cut: is_error,
            weight: 0,
        })
    }

    /// Adds a chunk. Returns false where nothing more is wanted.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<bool, Beyond> {
        let room = self.limit - self.read.len();
        if self.cut {
            self.read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            return Ok(chunk.len() < room);
        }
        if chunk.len() > room {
            return Err(Beyond::Bytes(self.limit));
        }
        self.weight += weight(chunk);
        let memory = self.limit.saturating_mul(GROWTH);
        if self.weight > memory {
            return Err(Beyond::Memory(memory));
        }
        self.read.extend_from_slice(chunk);
        Ok(true)
    }

    pub(super) fn done(self) -> Bytes {
        self.read.freeze()
    }
}

/// Estimates the memory of a part of a JSON text, beside its texts. Brackets within texts count too: the estimate is
/// never too low.
fn weight(chunk: &[u8]) -> usize {
    let (mut items, mut objects) = (0, 0);
    for byte in chunk {
        items += usize::from(matches!(byte, b',' | b'['));
        objects += usize::from(*byte == b'{');
    }
    items * ITEM + objects * OBJECT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(is_error: bool, size: Size, text: &str) -> Result<usize, Beyond> {
        let mut body = Body::new(is_error, size, PAGE, 0)?;
        for chunk in text.as_bytes().chunks(8192) {
            if !body.take(chunk)? {
                break;
            }
        }
        Ok(body.done().len())
    }

    #[test]
    fn each_answer_is_as_large_as_what_was_asked_for_can_be() {
        for (name, is_error, size, bytes, expected) in [
            ("an error", true, Size::Page, 1 << 20, Ok(ERROR)),
            ("a small error", true, Size::Resource, 100, Ok(100)),
            ("a resource", false, Size::Resource, RESOURCE, Ok(RESOURCE)),
            (
                "no resource",
                false,
                Size::Resource,
                RESOURCE + 1,
                Err(Beyond::Bytes(RESOURCE)),
            ),
            ("a page", false, Size::Page, PAGE, Ok(PAGE)),
            ("no page", false, Size::Page, PAGE + 1, Err(Beyond::Bytes(PAGE))),
        ] {
            assert_eq!(read(is_error, size, &"x".repeat(bytes)), expected, "{name}");
        }
    }

    #[test]
    fn what_is_small_and_takes_gigabytes_is_refused_before_it_is_parsed() {
        for text in ["[],", "{\"\":{}},", "0,", "[[[["] {
            let bomb = text.repeat((PAGE - 100) / text.len());
            assert!(
                matches!(read(false, Size::Page, &bomb), Err(Beyond::Memory(_))),
                "{text}"
            );
        }
        let user = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819c223-7f76-453a-919d-413861904646",
            "externalId":"8a1b7a3e-0000-4000-8000-000000000001","userName":"bjensen@example.com","active":true,
            "name":{"formatted":"Ms. Barbara J Jensen III","familyName":"Jensen","givenName":"Barbara"},
            "emails":[{"value":"bjensen@example.com","type":"work","primary":true}],
            "phoneNumbers":[{"value":"+1 555 0100","type":"mobile"}],"meta":{"resourceType":"User",
            "created":"2010-01-23T04:56:22Z","location":"https://example.com/v2/Users/2819c223-7f76-453a-919d-413861904646"}},"#;
        let users = user.repeat(PAGE / user.len());
        assert_eq!(read(false, Size::Page, &users), Ok(users.len()));
        let member =
            r#"{"value":"2819c223-7f76-453a-919d-413861904646","type":"User","display":"Barbara Jensen"},"#;
        let members = member.repeat(PAGE / member.len());
        assert_eq!(
            read(false, Size::Page, &members),
            Err(Beyond::Memory(PAGE * GROWTH)),
            "760,000 members"
        );
        let members = member.repeat(500_000);
        assert_eq!(read(false, Size::Page, &members), Ok(members.len()));
    }
}

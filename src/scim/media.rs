//! The media type of bodies: `application/scim+json`, and `application/json` where a service refuses that.
//!
//! A 415 is about the media type alone and comes before the body is read, so nothing was carried out: the same request
//! is sent at once in the other media type, creates too.

use bytes::Bytes;
use url::Url;

use super::client::ScimTarget;
use super::dialect::Aspect;
use super::dialect::Dialect;
use super::fault::Asked;
use super::fault::Content;
use super::learning::Failing;
use super::learning::Witness;
use super::request::Payload;
use super::request::Repeat;
use super::request::Reply;
use crate::ports::TargetError;

impl ScimTarget {
    /// Sends a body in the media type in force, and in another one where that type is refused.
    pub(super) async fn send_body<B: Content>(
        &self,
        asked: &Asked,
        url: &Url,
        body: Bytes,
        repeat: Repeat,
        witness: impl FnOnce() -> Witness,
    ) -> Result<Reply<B>, TargetError> {
        let payload = |form| {
            let media = Dialect::default().with(Aspect::MediaType, form).media_type;
            let body = body.clone();
            Some(Payload { body, media })
        };
        let form = self.experience.ask(|learned| learned.form(Aspect::MediaType));
        let sent = self.wire.send_for(asked, url, payload(form), repeat).await;
        let refusal = match sent {
            Err(error) if is_about_the_media_type(&error) => error,
            sent => return sent,
        };
        let witness = witness();
        let others = self
            .experience
            .add(|learned| learned.failed(Aspect::MediaType, form, &witness, Failing::Alone(415)));
        for other in others {
            let sent = self.wire.send_for(asked, url, payload(other), repeat).await;
            match &sent {
                Err(error) if is_about_the_media_type(error) => self
                    .experience
                    .add(|learned| learned.futile(Aspect::MediaType, other, &witness)),
                Ok(_) => {
                    self.helped(&[(Aspect::MediaType, other)], &witness);
                    return sent;
                }
                // The media type was accepted, and the request refused, or left, for something else.
                Err(_) => return sent,
            }
        }
        Err(refusal)
    }
}

const fn is_about_the_media_type(error: &TargetError) -> bool {
    matches!(error, TargetError::Refused { status: 415, .. })
}

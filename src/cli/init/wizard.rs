//! The questions of `init`: each has a default, and a wrong answer is asked again at once.

use std::io::BufRead;
use std::io::Write;

use super::asked::Answers;
use super::asked::Guests;
use super::asked::IDMELON_URL;
use super::asked::Init;
use super::asked::Kind;
use super::asked::Scope;
use super::asked::Secrets;
use super::asked::word;
use crate::app::error::AppError;
use crate::app::error::ErrorText;
use crate::app::tenant::is_domain;
use crate::model::id::SourceId;

/// Somebody who answers: on a terminal. Elsewhere nobody is asked, and what has no default must be given by a flag.
pub(super) struct Dialogue<R, W, T> {
    pub(super) input: R,
    pub(super) output: W,
    /// Looks up the tenant of a domain.
    pub(super) tenant_of: T,
    /// Whether somebody answers.
    pub(super) asks: bool,
}

/// What is asked.
struct Question<'q> {
    text: &'q str,
    /// The flag that answers it.
    flag: &'q str,
    /// The answer where none is given.
    default: Option<&'q str>,
    /// What is wrong with an answer.
    wrong: fn(&str) -> Option<&'static str>,
}

const TENANT: &str =
    "Directory (tenant) ID, from the overview of the app registration, or a domain of it such as contoso.com";
const CLIENT: &str = "Application (client) ID, from the same page";
const APPLICATION: &str = "Object ID of the enterprise application (not that of the app registration)";

impl<R, W, T> Dialogue<R, W, T>
where
    R: BufRead,
    W: Write,
    T: FnMut(&str) -> Result<String, AppError>,
{
    /// The answers: those that were given by flags, and the others by who is asked.
    pub(super) fn answers(&mut self, args: &Init) -> Result<Answers, AppError> {
        self.say("Enter takes what stands in [brackets].");
        let tenant_id = self.tenant(args.tenant_id.as_deref())?;
        let client_id = self.guid(args.client_id.as_deref(), "--client-id", CLIENT)?;
        let kind = self.choice(
            args.kind,
            "Target: idmelon, or scim for any SCIM 2.0 service",
            Kind::Idmelon,
        )?;
        let url = self.text(
            args.url.as_deref(),
            &Question {
                text: "The target's SCIM base address",
                flag: "--url",
                default: (kind == Kind::Idmelon).then_some(IDMELON_URL),
                wrong: not_an_address,
            },
        )?;
        let scope = self.choice(
            args.scope,
            "Scope: all users and groups, or only those assigned to the enterprise application",
            Scope::All,
        )?;
        let service_principal_id = match scope {
            Scope::All => None,
            Scope::Assigned => {
                let given = args.service_principal_id.as_deref();
                Some(self.guid(given, "--service-principal-id", APPLICATION)?)
            }
        };
        let guests = self.choice(
            args.guests,
            "Guests: include, only the accepted ones, or exclude",
            Guests::Include,
        )?;
        let secrets = self.choice(
            args.secrets,
            "Secrets: in the environment (env), or in files (file)",
            Secrets::Env,
        )?;
        Ok(Answers {
            tenant_id,
            client_id,
            kind,
            url,
            service_principal_id,
            guests,
            secrets,
        })
    }

    /// The id of the tenant: as it is given, or as that of a domain. A domain that leads to none is asked again at once.
    fn tenant(&mut self, given: Option<&str>) -> Result<String, AppError> {
        if let Some(domain) = given.filter(|given| is_domain(given)) {
            return (self.tenant_of)(domain);
        }
        let question = Question {
            text: TENANT,
            flag: "--tenant-id",
            default: None,
            wrong: no_tenant,
        };
        loop {
            let answer = self.text(given, &question)?;
            if !is_domain(&answer) {
                return Ok(answer);
            }
            match (self.tenant_of)(&answer) {
                Ok(tenant) => {
                    self.say(&format!("{answer} is tenant {tenant}."));
                    return Ok(tenant);
                }
                Err(error) => error.errors.iter().for_each(|error| self.say(&words(error))),
            }
        }
    }

    fn guid(&mut self, given: Option<&str>, flag: &str, text: &str) -> Result<String, AppError> {
        let question = Question {
            text,
            flag,
            default: None,
            wrong: not_a_guid,
        };
        self.text(given, &question)
    }

    fn text(&mut self, given: Option<&str>, question: &Question<'_>) -> Result<String, AppError> {
        if let Some(given) = given {
            return Ok(given.to_owned());
        }
        if !self.asks {
            return question
                .default
                .map(str::to_owned)
                .ok_or_else(|| missing(question));
        }
        loop {
            let answer = self.ask(question)?;
            match (question.wrong)(&answer) {
                None => return Ok(answer),
                Some(wrong) => self.say(wrong),
            }
        }
    }

    fn choice<A: clap::ValueEnum + Copy>(
        &mut self,
        given: Option<A>,
        text: &str,
        default: A,
    ) -> Result<A, AppError> {
        if given.is_some() || !self.asks {
            return Ok(given.unwrap_or(default));
        }
        let words: Vec<String> = A::value_variants().iter().map(word).collect();
        let default_word = word(&default);
        let question = Question {
            text,
            flag: "",
            default: Some(&default_word),
            wrong: |_| None,
        };
        loop {
            let answer = self.ask(&question)?;
            if let Ok(chosen) = A::from_str(&answer, true) {
                return Ok(chosen);
            }
            self.say(&format!("It is {}.", words.join(" or ")));
        }
    }

    fn ask(&mut self, question: &Question<'_>) -> Result<String, AppError> {
        let default = question
            .default
            .map_or_else(String::new, |default| format!(" [{default}]"));
        let _ = write!(self.output, "{}{default}: ", question.text);
        let _ = self.output.flush();
        let mut answer = String::new();
        let read = self.input.read_line(&mut answer).unwrap_or_default();
        let answer = answer.trim();
        match (answer, question.default) {
            ("", Some(default)) => Ok(default.to_owned()),
            // Nobody is there any more.
            ("", None) if read == 0 => Err(missing(question)),
            (answer, _) => Ok(answer.to_owned()),
        }
    }

    fn say(&mut self, text: &str) {
        if self.asks {
            let _ = writeln!(self.output, "{text}");
        }
    }
}

fn missing(question: &Question<'_>) -> AppError {
    AppError::usage(
        format!("{} is not given", question.text),
        format!("add {}", question.flag),
    )
}

/// An error in one sentence, for whoever is asked again.
fn words(error: &ErrorText) -> String {
    let causes = error.causes.iter().map(|cause| format!(": {cause}"));
    let advice = error.advice.as_deref();
    let advice = advice.map_or_else(String::new, |advice| format!("; {advice}"));
    format!("{}{}{advice}.", error.what, causes.collect::<String>())
}

fn no_tenant(answer: &str) -> Option<&'static str> {
    (!is_domain(answer) && not_a_guid(answer).is_some())
        .then_some("That is neither a GUID, as in 6f9619ff-8b86-d011-b42d-00c04fc964ff, nor a domain, as in contoso.com.")
}

fn not_a_guid(answer: &str) -> Option<&'static str> {
    answer
        .parse::<SourceId>()
        .is_err()
        .then_some("That is no GUID, as in 6f9619ff-8b86-d011-b42d-00c04fc964ff.")
}

fn not_an_address(answer: &str) -> Option<&'static str> {
    let address = url::Url::parse(answer);
    let good =
        address.is_ok_and(|address| matches!(address.scheme(), "https" | "http") && address.has_host());
    (!good).then_some("That is no address, as in https://scim.example/v2/.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "11111111-1111-1111-1111-111111111111";

    fn asked(answers: &str, args: &Init) -> (Result<Answers, AppError>, String) {
        let mut said = Vec::new();
        let mut dialogue = Dialogue {
            input: answers.as_bytes(),
            output: &mut said,
            tenant_of: |domain: &str| match domain {
                "contoso.com" => Ok(GUID.to_owned()),
                _ => Err(AppError::usage(
                    format!("no tenant has the domain {domain}"),
                    "give the ID",
                )),
            },
            asks: true,
        };
        let found = dialogue.answers(args);
        (found, String::from_utf8(said).unwrap())
    }

    #[test]
    fn a_wrong_answer_is_asked_again_at_once() {
        let answers = format!(
            "contoso\ncontosso.com\ncontoso.com\n{GUID}\nscimm\nscim\nnowhere\nhttps://scim.example/v2\nassigned\n{GUID}\nexclude\n\n"
        );
        let (found, said) = asked(&answers, &Init::default());
        let found = found.unwrap();
        assert_eq!(
            (found.kind, found.url.as_str(), found.guests, found.secrets),
            (
                Kind::Scim,
                "https://scim.example/v2",
                Guests::Exclude,
                Secrets::Env
            )
        );
        assert_eq!(found.service_principal_id.as_deref(), Some(GUID));
        assert_eq!(found.tenant_id, GUID);
        for words in [
            "That is neither a GUID",
            "no tenant has the domain contosso.com; give the ID.",
            "contoso.com is tenant ",
            "It is idmelon or scim.",
            "That is no address",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    #[test]
    fn what_a_flag_answers_is_not_asked_and_enter_takes_the_default() {
        let args = Init {
            tenant_id: Some(GUID.to_owned()),
            client_id: Some(GUID.to_owned()),
            ..Init::default()
        };
        let (found, said) = asked("\n\n\n\n\n", &args);
        let found = found.unwrap();
        assert_eq!((found.kind, found.url.as_str()), (Kind::Idmelon, IDMELON_URL));
        assert_eq!(found.service_principal_id, None);
        assert!(!said.contains("tenant"), "{said}");
    }

    #[test]
    fn nobody_there_is_named_with_the_flag() {
        let (found, _) = asked("", &Init::default());
        let error = found.unwrap_err().errors.remove(0);
        assert_eq!(error.advice.as_deref(), Some("add --tenant-id"));
    }
}

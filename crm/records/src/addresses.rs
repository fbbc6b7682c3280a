//! Phone numbers and e-mail addresses in the one form in which they are stored and compared: E.164, and lower case.

use onward_accounts::{CrmError, users::normalise_email};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressKind {
    /// E-mail, lower case.
    Email,
    /// Phone, E.164.
    Phone,
}

impl AddressKind {
    /// As in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

/// An e-mail address as it is stored.
pub fn email(text: &str) -> Result<String, CrmError> {
    normalise_email(text)
}

/// Whether a phone number says its country itself, so that [`phone`] needs no default.
pub fn names_its_country(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('+') || text.starts_with("00")
}

/// A phone number in E.164. Without a `+` it is read as a number of `country` (ISO 3166), else as an international one whose
/// `+` was left out, as WhatsApp writes them.
///
/// A number only has to be possible, not assigned: numbering plans change faster than tables of them.
pub fn phone(text: &str, country: Option<&str>) -> Result<String, CrmError> {
    let trimmed = text.trim();
    let refused = || CrmError::invalid("phone", format!("`{text}` is no phone number; write it with its country code, like +4915112345678"));
    if trimmed.len() > 40 {
        return Err(refused());
    }
    if names_its_country(trimmed) {
        let international = trimmed.strip_prefix("00").map_or_else(|| trimmed.to_owned(), |rest| format!("+{rest}"));
        return international_number(&international, false).ok_or_else(refused);
    }
    let national = country.and_then(|code| code.parse::<Region>().ok()).and_then(|region| {
        let number = PHONE_NUMBER_UTIL.parse(trimmed, Some(region)).ok()?;
        number.is_valid().then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
    });
    national.or_else(|| international_number(&format!("+{trimmed}"), true)).ok_or_else(refused)
}

fn international_number(text: &str, must_be_valid: bool) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(text, None).ok()?;
    let good = if must_be_valid { number.is_valid() } else { number.is_possible_with_reason().is_ok() };
    good.then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
}

/// What a provider calls a phone number: normalised where it can be, else kept as it came if it is at all one.
pub fn phone_from_provider(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let international = format!("+{digits}");
    international_number(&international, false).or_else(|| (7..=15).contains(&digits.len()).then_some(international))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_become_e164() {
        for (text, country, expected) in [
            ("+919812345678", None, "+919812345678"),
            ("+49 (151) 123-45678", None, "+4915112345678"),
            ("0049 151 12345678", Some("IN"), "+4915112345678"),
            ("98123 45678", Some("IN"), "+919812345678"),
            ("0151 12345678", Some("DE"), "+4915112345678"),
            ("919812345678", None, "+919812345678"),
            ("919812345678", Some("US"), "+919812345678"),
            (" +1 650 555 1234 ", None, "+16505551234"),
        ] {
            assert_eq!(phone(text, country).as_deref(), Ok(expected), "{text} in {country:?}");
        }
    }

    #[test]
    fn what_is_no_phone_number_is_refused_by_name() {
        for (text, country) in
            [("", None), ("12", None), ("hello", None), ("+0", None), ("US.13491208655302741918", None), ("98123 45678", Some("ZZ")), ("98123", Some("IN"))]
        {
            let error = phone(text, country).unwrap_err();
            assert!(error.to_string().contains(text) && error.to_string().contains("country code"), "{error}");
        }
        assert!(phone(&"1".repeat(10_000), None).is_err());
    }

    #[test]
    fn providers_are_believed_further() {
        assert_eq!(phone_from_provider("972987654321").as_deref(), Some("+972987654321"));
        assert_eq!(phone_from_provider("+16505551234").as_deref(), Some("+16505551234"));
        assert_eq!(phone_from_provider("US.1").as_deref(), None);
    }
}

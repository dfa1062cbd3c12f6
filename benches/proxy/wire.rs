//! The few facts about HTTP/1.1 messages that both ends of the benchmark need.

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    None,
    Chunked,
    Length(usize),
}

/// The length of the head in `buffer`, once all of it is there.
pub(crate) fn head_end(buffer: &[u8]) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    buffer
        .windows(END.len())
        .position(|window| window == END)
        .map(|at| at + END.len())
}

pub(crate) fn framing(head: &[u8]) -> Framing {
    if let Some(length) = header(head, b"content-length").and_then(number) {
        return Framing::Length(length);
    }
    match header(head, b"transfer-encoding") {
        Some(value) if value.eq_ignore_ascii_case(b"chunked") => Framing::Chunked,
        _ => Framing::None,
    }
}

/// The status code of a response head.
pub(crate) fn status(head: &[u8]) -> Option<u16> {
    let code = head.split(|byte| *byte == b' ').nth(1)?.get(..3)?;
    u16::try_from(number(code)?).ok()
}

/// Whether the sender closes after this message.
pub(crate) fn closes(head: &[u8]) -> bool {
    header(head, b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
}

/// The value of the first header of that name, which is given in lower case.
pub(crate) fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (field, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        field.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

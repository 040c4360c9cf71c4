//! `writer tail`: the last lines, as people read them, and those that come.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use writer_cli::json::Scanner;
use writer_cli::level::Level;
use writer_cli::lines::Lines;
use writer_cli::record::Record;

use crate::args::{Count, Filter, Tail};
use crate::follow::{Follower, LOOK_EVERY, Seen, Stop};
use crate::last::last_lines;
use crate::{Failure, Out, complain, input, out, paint};

pub(crate) fn run(options: &Tail) -> Result<(), Failure> {
    let mut view =
        View { scanner: Scanner::default(), out: out(options.color), filter: &options.filter };
    let name = options.file.display().to_string();
    let failure = |error| Failure::File(name.clone(), error);
    if is_stream(&options.file) {
        let stream = input::open(&options.file).map_err(failure)?;
        return match options.lines {
            Count::Last(lines) if !options.follow => {
                let (last, _) = view.last_matching(stream, lines, false).map_err(failure)?;
                last.iter().try_for_each(|line| view.show(line))?;
                Ok(view.out.flush()?)
            }
            _ => view.stream(stream, failure),
        };
    }
    let file = match File::open(&options.file) {
        Ok(file) => Some(file),
        Err(error) if options.follow && error.kind() == io::ErrorKind::NotFound => {
            complain(&format!("{name}: waiting until it is there"));
            None
        }
        Err(error) => return Err(failure(error)),
    };
    if let Some(file) = &file {
        input::look_at(file).map_err(failure)?;
    }
    let mut position = 0;
    if let (Some(file), Some(lines)) = (&file, options.lines.of_file()) {
        if options.filter.is_empty() {
            position = last_lines(file, lines).map_err(failure)?;
        } else {
            let matching = view.last_matching(file, lines, options.follow);
            let (last, end) = matching.map_err(failure)?;
            last.iter().try_for_each(|line| view.show(line))?;
            position = end;
        }
    }
    let mut follower = Follower::new(&options.file, file, position);
    if !options.follow {
        return view.rest(&mut follower, failure);
    }
    loop {
        let looked = follower.look(&mut |seen| {
            match seen {
                Seen::Line(line) => view.show(line).map_err(Stop::Output)?,
                Seen::Replaced => complain(&format!("{name}: a new file")),
                Seen::Truncated => complain(&format!("{name}: it was truncated")),
                Seen::Refused(error) => complain(&format!("{name}: waiting: {error}")),
            }
            Ok(())
        });
        looked.map_err(|stop| stopped(stop, failure))?;
        view.out.flush()?;
        pause();
    }
}

fn stopped(stop: Stop, failure: impl Fn(io::Error) -> Failure) -> Failure {
    match stop {
        Stop::File(error) => failure(error),
        Stop::Output(error) => Failure::Output(error),
    }
}

/// Whether this has no last lines that could be found from behind: standard input, a pipe, a
/// terminal.
fn is_stream(path: &Path) -> bool {
    let is_pipe = || std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    input::is_stdin(path) || is_pipe()
}

#[expect(clippy::disallowed_methods, reason = "another process gives no signal when it writes")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

/// A line without NUL bytes, as the [`Follower`] gives one.
fn without_nuls(line: &[u8]) -> Cow<'_, [u8]> {
    match memchr::memchr(0, line) {
        None => Cow::Borrowed(line),
        Some(_) => line.iter().copied().filter(|&byte| byte != 0).collect(),
    }
}

/// Shows lines.
struct View<'o> {
    scanner: Scanner,
    out: Out,
    filter: &'o Filter,
}

impl View<'_> {
    /// Shows all lines of what can be read only once.
    fn stream(
        &mut self,
        from: impl Read,
        failure: impl Fn(io::Error) -> Failure,
    ) -> Result<(), Failure> {
        let mut lines = Lines::new(from);
        while let Some(line) = lines.next_line().map_err(&failure)? {
            if !line.is_reserve() {
                self.show(&without_nuls(line.bytes))?;
            }
            // The next line may be long in coming.
            if !lines.has_line() {
                self.out.flush()?;
            }
        }
        Ok(self.out.flush()?)
    }

    /// Shows what is there and ends.
    fn rest(
        &mut self,
        follower: &mut Follower,
        failure: impl Fn(io::Error) -> Failure,
    ) -> Result<(), Failure> {
        let mut show = |seen: Seen<'_>| match seen {
            Seen::Line(line) => self.show(line).map_err(Stop::Output),
            Seen::Replaced | Seen::Truncated | Seen::Refused(_) => Ok(()),
        };
        follower.read_all(&mut show).map_err(|stop| stopped(stop, failure))?;
        Ok(self.out.flush()?)
    }

    /// The last lines that match, and where the first line begins that is not among those looked
    /// at: who `follows` leaves one whose end has not come for later.
    fn last_matching(
        &mut self,
        file: impl Read,
        lines: usize,
        follows: bool,
    ) -> io::Result<(VecDeque<Vec<u8>>, u64)> {
        let (mut last, mut end) = (VecDeque::new(), 0);
        let mut all = Lines::new(file);
        while let Some(line) = all.next_line()? {
            if !line.ended && follows {
                break;
            }
            end += line.len;
            let bytes = without_nuls(line.bytes);
            let shown = match self.scanner.object(&bytes).map(Record::of) {
                Ok(record) => self.filter.lets_pass(&record) || record.losses().is_some(),
                // No record, but perhaps a line of a library that prints.
                Err(_) => self.filter.is_empty() && !line.is_reserve(),
            };
            if shown {
                last.push_back(bytes.to_vec());
                if last.len() > lines {
                    last.pop_front();
                }
            }
        }
        Ok((last, end))
    }

    fn show(&mut self, line: &[u8]) -> io::Result<()> {
        let Ok(members) = self.scanner.object(line) else {
            return if self.filter.is_empty() { paint::plain(&mut self.out, line) } else { Ok(()) };
        };
        let record = Record::of(members);
        if let Some(losses) = record.losses() {
            return paint::losses(&mut self.out, &losses);
        }
        if self.filter.lets_pass(&record) { paint::record(&mut self.out, &record) } else { Ok(()) }
    }
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.level.is_none() && self.targets.is_empty() && self.fields.is_empty()
    }

    fn lets_pass(&self, record: &Record<'_>) -> bool {
        let severe = |least: Level| record.level.is_some_and(|level| level >= least);
        let inside = |target: &String| {
            let rest = record.target.as_deref().and_then(|own| own.strip_prefix(target.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let has = |(key, value): &(String, String)| {
            let is_it = |own: Option<Cow<'_, str>>| own.is_some_and(|own| own == **value);
            is_it(record.field(key))
                || record.spans.iter().any(|span| is_it(record.span_field(span, key)))
        };
        self.level.is_none_or(severe)
            && (self.targets.is_empty() || self.targets.iter().any(inside))
            && self.fields.iter().all(has)
    }
}

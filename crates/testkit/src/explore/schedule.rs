/// The number of an actor in its run.
pub(super) type ActorId = usize;

/// All schedules, one after another: a path through the tree of choices, walked depth first.
#[derive(Debug)]
pub(super) struct Schedules {
    /// Where the present run had alternatives, and which it took.
    path: Vec<Choice>,
    max_preemptions: Option<usize>,
    /// How much of the path the present run has walked.
    depth: usize,
    turns: usize,
    preemptions: usize,
    last: Option<ActorId>,
}

#[derive(Debug)]
struct Choice {
    /// How many turns came before.
    turns: usize,
    options: Vec<ActorId>,
    taken: usize,
}

/// The run has other options than an earlier one had after the same choices.
#[derive(Debug)]
pub(super) struct Diverged;

impl Schedules {
    pub(super) fn new(max_preemptions: Option<usize>) -> Self {
        Self {
            path: Vec::new(),
            max_preemptions,
            depth: 0,
            turns: 0,
            preemptions: 0,
            last: None,
        }
    }

    /// Chooses who runs next; `runnable` is not empty and in ascending order.
    pub(super) fn choose(&mut self, runnable: &[ActorId]) -> Result<ActorId, Diverged> {
        let options = self.options(runnable);
        let chosen = match options[..] {
            [only] => only,
            _ => self.branch(options)?,
        };
        if self
            .last
            .is_some_and(|last| last != chosen && runnable.contains(&last))
        {
            self.preemptions += 1;
        }
        self.last = Some(chosen);
        self.turns += 1;
        Ok(chosen)
    }

    /// The run is over. It must have come to every choice it was to repeat.
    pub(super) fn run_ended(&self) -> Result<(), Diverged> {
        if self.depth < self.path.len() {
            return Err(Diverged);
        }
        Ok(())
    }

    /// Turns to the next schedule; false if this was the last one.
    pub(super) fn next(&mut self) -> bool {
        (self.depth, self.turns, self.preemptions, self.last) = (0, 0, 0, None);
        while let Some(choice) = self.path.last_mut() {
            choice.taken += 1;
            if choice.taken < choice.options.len() {
                return true;
            }
            self.path.pop();
        }
        false
    }

    /// The one who ran last comes first, so that the first schedule has no preemption at all.
    fn options(&self, runnable: &[ActorId]) -> Vec<ActorId> {
        let Some(last) = self.last.filter(|last| runnable.contains(last)) else {
            return runnable.to_vec();
        };
        if self
            .max_preemptions
            .is_some_and(|max| self.preemptions >= max)
        {
            return vec![last];
        }
        let others = runnable.iter().copied().filter(|&other| other != last);
        std::iter::once(last).chain(others).collect()
    }

    fn branch(&mut self, options: Vec<ActorId>) -> Result<ActorId, Diverged> {
        let turns = self.turns;
        match self.path.get(self.depth) {
            None => self.path.push(Choice {
                turns,
                options,
                taken: 0,
            }),
            Some(before) if before.turns == turns && before.options == options => {}
            Some(_) => return Err(Diverged),
        }
        let choice = &self.path[self.depth];
        self.depth += 1;
        Ok(choice.options[choice.taken])
    }
}

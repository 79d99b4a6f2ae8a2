//! Choosing the few candidates that cover everything and grant the least.

/// A choice: what it covers, and what it costs.
#[derive(Clone, Debug)]
pub(super) struct Choice<K> {
    /// What is chosen; also the last tie-breaker.
    pub(super) key: K,
    /// Positions of the items it covers.
    pub(super) covers: Vec<usize>,
    /// How much it grants that was never observed.
    pub(super) cost: u64,
    /// It says something that no rule of today says: an interface that joins the
    /// group tomorrow would be let through where today it is not.
    pub(super) novel: bool,
}

/// Greedy weighted set cover: the least cost per newly covered item first, then
/// what today's rules say already, then the most newly covered, then the smallest key; what turned out superfluous is
/// dropped at the end, the costliest first. Returns the chosen keys and the items
/// that no choice covers.
///
/// The bound of the greedy choice is H(n) times the optimum for n items (Chvátal 1979).
pub(super) fn cover<K: Ord + Copy>(
    items: usize,
    mut choices: Vec<Choice<K>>,
) -> (Vec<K>, Vec<usize>) {
    choices.sort_by_key(|choice| choice.key);
    let mut covered = vec![0u32; items];
    let mut chosen: Vec<usize> = Vec::new();
    loop {
        let best = choices
            .iter()
            .enumerate()
            .map(|(position, choice)| {
                let new = choice
                    .covers
                    .iter()
                    .filter(|&&item| covered[item] == 0)
                    .count() as u64;
                (position, choice, new)
            })
            .filter(|&(_, _, new)| new > 0)
            // cost / new without dividing
            .min_by(|&(_, choice_a, new_a), &(_, choice_b, new_b)| {
                let a = u128::from(choice_a.cost) * u128::from(new_b);
                let b = u128::from(choice_b.cost) * u128::from(new_a);
                a.cmp(&b)
                    .then(choice_a.novel.cmp(&choice_b.novel))
                    .then(new_b.cmp(&new_a))
            });
        let Some((position, ..)) = best else { break };
        chosen.push(position);
        for &item in &choices[position].covers {
            covered[item] += 1;
        }
    }
    chosen.sort_by_key(|&position| {
        std::cmp::Reverse((choices[position].cost, choices[position].key))
    });
    chosen.retain(|&position| {
        let superfluous = choices[position]
            .covers
            .iter()
            .all(|&item| covered[item] > 1);
        if superfluous {
            for &item in &choices[position].covers {
                covered[item] -= 1;
            }
        }
        !superfluous
    });
    let mut keys: Vec<K> = chosen
        .into_iter()
        .map(|position| choices[position].key)
        .collect();
    keys.sort_unstable();
    let uncovered = (0..items).filter(|&item| covered[item] == 0).collect();
    (keys, uncovered)
}

"""A job: the plan that the driver walks through."""

from __future__ import annotations

from fastrnn.code.compiled import Compiled
from fastrnn.operations.call import CALL
from fastrnn.operations.records import record

JOB = record(
    "job",
    """
    first_batch         place~
    last_batch          place~
    first_draw          place~   minibatches done before first_batch
    first_step          place~   updates done before it
    packs               code~    for which minibatches the weights are laid out
    samples             size~    N
    batch_size          size
    steps               size     T
    k1                  size     a backward pass every so many steps
    k2                  size     through so many
    segment             size     steps whose states are kept
    online              flag     an update after every pass
    updates             flag
    shards              size
    barrier             array    (8 threads) int64
    totals              array    as in BATCH
    shared              array    operations of a minibatch as a whole
    table               array    (shards, operations) those of every shard
    operations          size
    stages              array    (stage_count, STAGE_FIELDS)
    stage_count         size
    pack                place    in shared: lay out the weights
    change              place    update them
    end                 place    add up
    stop                place
    clear               place    in table: zero the gradients
    keep                place    store the states at the beginning of a segment
    recall              place    fetch them
    read                place    gather inputs
    forward             place    run the model
    error               place    compute losses
    begin_back          place    go back in stages
    begins              flag~    of a stream: whether its first step is the next
    elapsed             place~   its steps that are no longer on the tapes
    piece               place~   where its piece begins
    next                place~   where its next step is
    count               size~    steps to be taken now
    closes              flag~    whether the piece ends behind them, full or not
    """,
)
"""The plan of a job.

A minibatch is cut into ``shards``, each with buffers of its own, that one thread takes from the data to the gradients;
a single shard is worked on by all threads together. A table lists operations as (address of code, address of spec,
whether all threads meet after it).

``shared`` is the table of what a minibatch needs once: weigh it, from ``pack`` on lay out the weights, from ``change``
on update them, from ``end`` to ``stop`` add up. ``table`` (shards, operations) lists what every shard needs: begin a
minibatch, from ``clear`` on zero its gradients, from ``keep`` on store the states at the beginning of a segment, from
``recall`` on fetch them, from ``read`` on gather inputs, from ``forward`` on run the model, from ``error`` on compute
losses; from ``begin_back`` on it goes back in ``stages`` (stage_count, STAGE_FIELDS). Steps are worked on in segments
of ``segment``: if there are several, each is run twice, for the states between segments and for its gradients.
``first_step`` is the number of updates and ``first_draw`` the number of minibatches done before ``first_batch``;
``packs`` says for which minibatches the weights are laid out.

A stream is a minibatch without an end, of which `drive_on` does some steps at a time, and writes here how far it is.
"""

STAGE_FIELDS = ("begin", "back", "done", "pads_last", "truncates", "last_only", "window")
"""A stage of the way back: layers that go through each window of ``window`` steps together, ``begin`` to ``back``
before a pass, ``back`` to ``done`` for each of its windows. A stage counts steps in the order of its layers;
``pads_last``: padding comes last in it, so that a row ends early. ``last_only``: only the last step's error enters."""

NEVER, FIRST, EACH = 0, 1, 2
"""For which minibatches of a job the weights are laid out."""

drive = Compiled("drive", "jobs.driver", (JOB, CALL, "i"))
drive_on = Compiled("drive_on", "jobs.driver", (JOB, CALL, "i"))

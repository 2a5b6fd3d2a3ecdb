// Mistakes that the simulator must find, planted where a programmer would make them. `consul-sim planted` switches them on one at a time, in a
// build with the condition PLANTED; docs/planted-bugs.md shows what finds each. Without the condition nothing of this is in the product.
//
// A case that changes nothing that anybody can see says why behind `Equivalent:`.

/// What goes wrong where `planted` is asked for the case.
///
/// Over 500 lines: a sentence for each mistake.
enum PlantedBug {
    // MARK: Raft: votes and elections
    /// A vote is answered before it is durable.
    case voteBeforeSync
    /// A candidate asks for votes before its own is durable.
    case candidacyBeforeSync
    /// A second candidate of the same term gets the vote, too.
    case voteTwice
    /// The candidate's log is not compared before a vote.
    case voteWithoutComparing
    /// Logs are compared by length alone before a vote.
    case logComparedByLength
    /// Logs are compared by their last term alone before a vote.
    case logComparedByTerm
    /// A vote that was granted in an earlier term counts in the present one.
    case voteOfOldTermCounted
    /// Votes of servers that are no voters count.
    case nonvotersCounted
    /// Half of an even number of voters makes a quorum.
    case halfIsMajority
    /// A term that is adopted from others is not written to the disk.
    case termNotStored
    /// A node raises its term without asking whether an election would succeed.
    case preVoteNotAsked
    /// A voter that hears a leader grants its vote to another one.
    case leaderIgnoredInVote
    /// A voter that was restarted forgets that it may have confirmed a lease.
    case restartForgetsLease
    /// Election timeouts are the same on every server.
    case electionNotRandom
    /// A leader of a newer term is followed without taking over its term.
    case termNotReset
    /// Answers to what a node asked as leader count after it leads again.
    /// Equivalent: what a leader has asked is forgotten when its leadership ends, and answers to a candidate count for a candidate alone.
    case oldLeaderKeepsCalls
    /// A server that threw its log away votes as if it had never acknowledged anything.
    case forgottenLogVotes
    /// Voters that lost their leader vote before its lease is over.
    /// Equivalent: a connection is refused only while the process is down; it answers no reads then, and has no lease when it is back.
    case lostLeaderGrantsEarly

    // MARK: Raft: log and replication
    /// A follower appends without comparing the term of the entry before.
    case prevTermNotChecked
    /// A follower takes entries that begin behind the end of its log for a match, and only reports success.
    case gapAppended
    /// A follower keeps its entry where the leader has another one.
    case conflictKept
    /// A follower cuts off its log behind every message, also what an older message does not mention.
    case truncateAlways
    /// Truncation leaves the first entry that contradicts.
    case truncateOneTooFew
    /// A follower acknowledges entries before they are durable.
    case ackBeforeSync
    /// A follower commits what the leader has committed, although the message does not show that its own entries are those.
    case commitBeyondMatch
    /// A heartbeat, which compares no logs, counts as agreement about the whole log.
    case heartbeatCommits
    /// The leader takes entries for replicated as soon as they are sent.
    case matchIsNext
    /// A refusal counts like a success.
    case matchFromOldEpoch
    /// The leader counts one entry more than the follower has acknowledged.
    case matchOffByOne
    /// An answer that a follower gave in an older term counts.
    /// Equivalent: calls are forgotten with their term; a follower answers in a lower one only while it catches up with a term far away, and refuses.
    case answerOfOldTerm
    /// A leader that is refused tries the same entry again and again.
    case rejectedNotBacked
    /// A leader goes on although an answer names a newer term.
    case newerTermIgnored
    /// Entries of a leader whose term is over are taken.
    case staleLeaderAccepted
    /// Old entries that were read back for a follower are sent although it asks for others by now.
    /// Equivalent: nothing is sent to a peer while entries are read back for it, and what resets it raises the epoch, whose reads are dropped.
    case stagedInWrongPlace
    /// Entries beyond a message's size are left out, and those behind them sent.
    case payloadLost
    /// Followers of an idle leader are not told of the last commit.
    case commitNotTold
    /// A proposal that is lost with the leadership is never refused.
    case proposalTokenLost

    // MARK: Raft: commitment, leases and reads
    /// A leader commits entries of an older term by counting replicas.
    case olderTermCommitted
    /// A leader counts its own entries before they are durable.
    case ownEntriesUnsynced
    /// A leader commits what one server less than a majority has.
    case commitByMinority
    /// A leader commits what any one server has.
    case commitByOne
    /// The lease counts from when answers arrive, not from when the messages were sent.
    case leaseFromAnswer
    /// The lease outlasts the patience of the followers.
    case leaseTooLong
    /// A leader holds a lease as long as anybody answers.
    case leaseOfOne
    /// A leader that told another server to take over keeps its lease.
    case leaseAfterTransfer
    /// A new leader answers default reads before it has applied an entry of its own term.
    case leaseOfNewLeader
    /// Nobody is told that the lease is over when the leadership is lost.
    case leaseNotWithdrawn
    /// A consistent read is answered without asking a quorum.
    case readIndexUnasked
    /// A consistent read counts heartbeats that were sent before it.
    case readIndexOldRound
    /// A consistent read is answered before an entry of the leader's term is applied.
    case readIndexOfNewLeader
    /// A consistent read is answered before its index is applied.
    /// Equivalent: entries behind the first of the term are in memory and are applied in the flush that commits them, before reads are given out.
    case readIndexNotApplied
    /// A leader that hears from nobody goes on leading.
    case quorumNeverLost
    /// Entries that were read back from the disk are applied although a snapshot has overtaken them.
    case appliedTwice
    /// A new leader writes no entry of its own.
    case noNoop

    // MARK: Raft: membership and leadership transfer
    /// A second change of the membership begins before the first is committed.
    case twoChangesAtOnce
    /// A leader changes the membership before an entry of its own term is committed.
    case changeBeforeNoop
    /// A configuration is in force only when its entry is committed.
    case configurationAtCommit
    /// A configuration stays in force although its entry was truncated.
    case configurationNotRolledBack
    /// A leader that was removed goes on leading.
    case removedLeaderStays
    /// A server that is added counts as having the whole log.
    case newPeerHasAll
    /// The leader counts with the voters of the configuration before.
    case electorateNotRefreshed
    /// A server that is removed is dropped before it knows.
    case removedServerNotTold
    /// Leadership is handed to a server before it has the whole log.
    case transferToLagging
    /// Writes are taken while leadership is handed over.
    case proposalsDuringTransfer
    /// A transfer that came to nothing is never given up.
    case transferNeverEnds
    /// A message to take over counts although its term is over.
    case transferOfOldTerm

    // MARK: Raft: disk and recovery
    /// Recovery takes the older of two vote records.
    case newerVoteLost
    /// The vote is written to one place alone, over the only good copy.
    case oneVoteSlot
    /// The vote is written without a sync.
    case voteWithoutSync
    /// The folder of a new vote file is not synced.
    case voteFolderNotSynced
    /// Entries are written without a sync.
    case logWithoutSync
    /// The folder is not synced when a segment is created.
    case segmentFolderNotSynced
    /// A truncation is not synced before what replaces the entries.
    case truncationNotSynced
    /// A truncation is forgotten on the disk.
    case truncationSkipped
    /// After a truncation the replaced entries still count as durable.
    case durableNotLowered
    /// A batch in flight makes entries durable that were truncated meanwhile.
    case inFlightNotLowered
    /// The torn end of the log is not cut off.
    case tornTailKept
    /// A torn end of the log is taken for damage.
    case tornTailRefused
    /// Damage in the middle of the log is cut off like a torn end.
    case damageCutOff
    /// A record counts although its checksum is wrong.
    case recordChecksumIgnored
    /// Records that an older file left behind are taken for the log's.
    case saltIgnored
    /// Recovery ignores the last segment.
    case lastSegmentLost
    /// Recovery does not look for configurations in the log.
    case configurationNotRecovered
    /// Recovery relies on what a killed process had written without a sync.
    case unsyncedNotSettled
    /// What found no space on a full disk is not written again.
    case fullDiskForgets
    /// A failed write of the log counts as done.
    case diskErrorIgnored
    /// Compaction drops segments that no durable snapshot covers.
    case compactedTooMuch

    // MARK: Raft: snapshots
    /// The state of a snapshot is not synced before the snapshot counts.
    case snapshotWithoutSync
    /// The folder is not synced when a snapshot gets its name.
    case snapshotNameNotSynced
    /// A snapshot is loaded although its checksum is wrong.
    case snapshotChecksumIgnored
    /// A snapshot claims one entry more than it holds.
    case snapshotIndexOff
    /// A snapshot holds a configuration that is not committed.
    case snapshotOldConfiguration
    /// An installed snapshot keeps the log behind it, also where that went another way.
    case installKeepsConflict
    /// An installed snapshot drops the log behind it, which goes on from it.
    case installDropsTail
    /// A snapshot that is older than the state is installed.
    case installGoesBack
    /// A snapshot is acknowledged before it is durable.
    case installAnsweredEarly
    /// A piece of a snapshot is taken at any offset.
    case pieceInWrongPlace
    /// An installed snapshot does not bring its configuration.
    case installForgetsConfiguration
    /// A leader sends a follower the same snapshot again and again.
    case installNotRemembered
    /// A restored archive counts as done before a majority has it.
    case restoreNotCommitted
    /// A restored archive that was never committed stays.
    case provisionalKept
    /// A snapshot is removed while it is being sent.
    /// Equivalent: the next piece cannot be read then, and the follower is sent the newest snapshot from its beginning.
    case snapshotBeingSentRemoved

    // MARK: Key/value store, locks and transactions
    /// A compare-and-set of an existing key does not compare.
    case casIndexIgnored
    /// A compare-and-set with index 0 succeeds on a key that is there.
    case casZeroMeansAny
    /// A compare-and-set compares the index of the creation.
    case casComparesCreation
    /// A conditional deletion does not compare.
    case deleteCASIgnoresIndex
    /// A plain write on a locked key takes the lock away.
    case plainWriteUnlocks
    /// A write keeps the flags of the entry before.
    case flagsLost
    /// A session acquires a lock that another one holds.
    case lockOfOthersTaken
    /// The lock index does not grow with a new holder.
    case lockIndexNotRaised
    /// The lock index grows when the holder acquires its lock once more.
    case lockIndexRaisedAgain
    /// Releasing a lock forgets its lock index.
    case lockIndexForgotten
    /// A lock is given to a session that does not exist.
    case lockBySessionGone
    /// A session releases a lock that another one holds.
    case unlockByStranger
    /// What a session holds is not noted when a lock changes hands.
    case heldKeysNotKept
    /// A deletion of a tree takes the key behind it, too.
    case deleteTreeOneTooMany
    /// A deletion of a tree leaves its last key.
    case deleteTreeLeavesOne
    /// A lock can be acquired during its lock-delay.
    case lockDelayIgnored
    /// A lock-delay is as long as a tenth of what was asked for.
    case lockDelayOnRelease
    /// Only the leader starts lock-delays, so that the next leader knows of none.
    case lockDelayOnlyOnLeader
    /// A failed transaction keeps what it did before it failed.
    case txnNotRolledBack
    /// A failed transaction raises the indexes of the tables.
    /// Equivalent: the index of a table may be higher than its last change; clients only compare it with what they saw.
    case txnIndexNotRolledBack
    /// A transaction ignores operations that fail.
    case txnStopsSilently
    /// `check-index` in a transaction succeeds whatever the index.
    case txnCheckIndexIgnored
    /// `check-session` in a transaction succeeds whoever holds the lock.
    case txnCheckSessionIgnored
    /// `check-not-exists` in a transaction succeeds although the key is there.
    case txnNotExistsIgnored
    /// Reads in a transaction do not see what its earlier operations wrote.
    case txnReadSeesStart
    /// A lock in a transaction can be acquired during its lock-delay.
    case txnLockDelayIgnored

    // MARK: Sessions
    /// A session that ends does not release what it holds.
    case sessionKeepsLocks
    /// A session that ends releases one of the keys that it holds.
    case sessionReleasesOne
    /// A session with the behaviour `delete` releases its keys.
    case deleteBehaviourReleases
    /// A session with the behaviour `release` deletes its keys.
    case releaseBehaviourDeletes
    /// The end of a session starts no lock-delay.
    case lockDelayNotStarted
    /// A session outlives a check of its own that turns critical.
    case sessionSurvivesCheck
    /// A session ends when a check of its own turns to a warning.
    case sessionEndsOnWarning
    /// A session outlives the removal of a check of its own.
    case sessionSurvivesCheckRemoval
    /// A session outlives its node.
    case sessionSurvivesNode
    /// A session can be created although a check of its own is critical.
    case sessionOfCriticalCheck
    /// A session can be created on a node that is not registered.
    case sessionOfUnknownNode
    /// A session does not depend on its service checks.
    case serviceChecksIgnored
    /// A session ends after half of the time that its TTL promises.
    case sessionEndsAtTTL
    /// The timer of a session that was renewed does not run any more.
    case sessionNeverExpires
    /// A renewal does not start the timer of a session anew.
    case renewalIgnored
    /// A session that is about to be ended can be renewed.
    case renewedWhileEnding
    /// A new leader starts no timers for the sessions that are there.
    case newLeaderForgetsTTL
    /// A session whose destruction failed stays for ever.
    case failedExpiryForgotten
    /// The timer of a destroyed session goes on.
    /// Equivalent: the timer of a session that is gone destroys nothing, and its ID is not used again.
    case destroyedTimerStays

    // MARK: Catalog: nodes, services, checks
    /// A node that is registered under a new name stays under the old one.
    case nodeRenameLeavesOld
    /// A node takes the name of another one that is alive.
    case nodeConflictIgnored
    /// The services of a node that is removed stay.
    case nodeServicesStay
    /// The checks of a node that is removed stay.
    case nodeChecksStay
    /// The checks of a service that is removed stay.
    case serviceChecksStay
    /// A service that is renamed is still found under its old name.
    case serviceNameIndexStays
    /// A registration that changes nothing but the tags is ignored.
    case serviceUnchangedIgnored
    /// The new address of a known node is ignored.
    case nodeAddressIgnored
    /// A check is still found under its old status.
    case checkStatusIndexStays
    /// The row of a check by its instance keeps the old status.
    case checkInstanceIndexStale
    /// A check whose output alone is new counts as unchanged.
    case checkOutputIgnored
    /// A check without a status is passing.
    case checkDefaultPassing
    /// Removing a service removes its node.
    case deregisterAll
    /// Removing a check does nothing.
    case deregisterCheckIgnored
    /// A registration that fails halfway keeps the first half.
    case registerHalfDone

    // MARK: Watches and indexes
    /// A write of a key does not raise the index of the table.
    case kvIndexNotRaised
    /// A write of a key wakes nobody.
    case kvKeyNotWoken
    /// The deletion of a key wakes nobody.
    case kvDeleteNotWoken
    /// The deletion of a tree wakes nobody.
    case kvTreeNotWoken
    /// The deletion of a key leaves no tombstone.
    case noTombstone
    /// The deletion of a tree leaves no tombstone.
    case noTreeTombstone
    /// Reaping takes tombstones that are newer than it was told.
    case reapedTooEarly
    /// Reaping leaves the tombstones that it should take.
    case reapedNever
    /// A list reports the index of the whole table.
    case listIndexOfTable
    /// A list reports the newest of its entries, whatever was deleted.
    case listIndexWithoutDeletions
    /// Watchers of a prefix are not woken by keys that are longer by more than one component.
    case prefixesNotWoken
    /// Of several watchers of a topic only one is woken.
    case oneWatcherWoken
    /// A prefix is forgotten although somebody still watches it.
    case prefixForgotten
    /// The watcher that takes the place of a cancelled one is not told its new place.
    case cancelMisplacesLast
    /// A change of a service does not raise its index.
    case serviceIndexNotRaised
    /// The removal of an instance wakes nobody who watches its service.
    case serviceRemovalNotWoken
    /// The removal of an instance does not raise the index of its service.
    case serviceRemovalIndex
    /// The last instance of a service goes without a trace.
    case extinctionNotNoted
    /// A service that gets another name leaves the old one without a trace.
    case renameNotNoted
    /// The index of a service stays behind when its last instance goes.
    case extinctionKeepsIndex
    /// A new service wakes nobody who watches the services of its node.
    case servicesOfNodeNotWoken
    /// A check that changes does not raise the index of its service.
    case checkDoesNotRaiseService
    /// A check of a node that changes does not raise the indexes of its services.
    case nodeCheckDoesNotRaise
    /// The removal of a check does not raise the index of its service.
    case checkRemovalDoesNotRaise
    /// A change of a check wakes nobody who watches the checks of its node or service.
    case checksNotWoken
    /// Who watches the checks in a state is not woken when one leaves it.
    case oldStatusNotWoken
    /// A change of a node wakes nobody who watches the nodes.
    case nodeNotWoken
    /// A node that changes does not raise the indexes of its services.
    case nodeDoesNotRaise
    /// The removal of a node does not raise the index of the nodes.
    case nodesIndexNotRaised
    /// The end of a session wakes nobody who watches it.
    case sessionNotWoken
    /// The end of a session does not raise the index of the sessions.
    case sessionIndexNotRaised
    /// What a transaction changed wakes nobody.
    case txnNotWoken
    /// A blocked query goes on watching what its first evaluation depended on.
    case topicsOfFirstEvaluation
    /// A second query for the same thing takes the place of the first.
    case groupForgetsOthers
    /// A query that is given up ends the registration of all that wait for the same.
    case lastWaiterEndsAll
    /// Watchers are not woken when a snapshot is installed.
    case wokenBeforePublished
    /// A blocked query is not answered at the end of its wait.
    case blockedForEver
    /// A blocked query is answered although its index has not moved.
    /// Equivalent: a blocking query may be answered early, with the same index (behaviour §2.1); clients ask again.
    case answeredAtSameIndex
    /// A consistent query that blocked is answered without asking a quorum.
    case blockedConsistentUnverified
    /// Writers are answered before readers can see what they wrote.
    case publishedBeforeApplied

    // MARK: Snapshots of the state, codecs
    /// A snapshot holds no sessions.
    case sessionsNotInSnapshot
    /// A snapshot holds no tombstones.
    case tombstonesNotInSnapshot
    /// A snapshot holds no checks of nodes.
    case checksNotInSnapshot
    /// A snapshot does not hold the indexes of the tables.
    case indexesNotInSnapshot
    /// A snapshot leaves out the last key.
    case lastEntryNotInSnapshot
    /// A snapshot holds no coordinates.
    case coordinatesNotInSnapshot
    /// A snapshot forgets the pieces of a command that is not complete.
    case chunksNotInSnapshot
    /// After a snapshot nobody knows which keys a session holds.
    case heldKeysNotRestored
    /// Flags lose their upper half on the wire.
    case flagsTruncated
    /// The lock index is not read from the wire.
    case lockIndexNotDecoded
    /// The behaviour of a session is not written.
    case behaviourNotEncoded
    /// The lock-delay of a session is not read.
    case lockDelayNotDecoded
    /// The metadata of nodes is not written.
    case nodeMetaNotEncoded
    /// The weights of a service are not read.
    case weightsNotDecoded
    /// The output of a check is not written.
    case outputNotEncoded
    /// The index of the creation of a node is that of its last change after a snapshot.
    case createIndexLost
    /// Pieces of commands of different leaders are put together.
    case chunkTermIgnored
    /// The pieces of a command are put together in the order in which they come.
    case chunkOrderLost

    // MARK: Gossip: failure detection
    /// An alive message of the incarnation that was suspected takes the suspicion back.
    case aliveOfOldIncarnation
    /// A suspicion of an older incarnation counts.
    case suspectOfOldIncarnation
    /// A death of an older incarnation counts.
    case deadOfOldIncarnation
    /// A suspicion of the present incarnation is taken for old news.
    case suspectNeedsNewer
    /// A member that is suspected does not refute.
    case suspicionNotRefuted
    /// A member that is declared dead believes it.
    case deathNotRefuted
    /// A refutation carries the incarnation that was accused.
    case refutedWithSameIncarnation
    /// A refutation is not passed on.
    case refutationNotSpread
    /// A suspicion goes on although the member has spoken.
    case suspicionNotRemoved
    /// A suspicion lasts a tenth of its time.
    case suspicionTooShort
    /// A suspicion never ends.
    case suspicionForEver
    /// The same accuser counts again and again.
    case confirmedByOne
    /// Further accusers do not shorten a suspicion.
    case confirmationsIgnored
    /// What another member calls dead at an exchange of states is believed at once.
    case deadBelievedAtOnce
    /// A member that says farewell is taken for dead.
    case leftTakenForDead
    /// A member that died is taken for one that left.
    case deadTakenForLeft
    /// Nobody else is asked before a member is suspected.
    case indirectNotAsked
    /// The answer to a ping for another one goes nowhere.
    case relayToRequester
    /// A member that answers over a stream alone is suspected.
    case streamAnswerIgnored
    /// An answer to an earlier probe ends the present one.
    case ackOfOldProbe
    /// One member in the order is never probed.
    case someNotProbed
    /// Suspected members are not probed.
    case suspectsNotProbed
    /// The awareness score never gets better.
    case healthNotLowered
    /// Dead members are forgotten before the others have heard of it.
    case deadNotForgotten
    /// News is passed on once.
    case gossipToOne
    /// A suspicion is not passed on.
    case suspectNotSpread
    /// A death is not passed on.
    case deadNotSpread
    /// News of a member is not passed on.
    case aliveNotSpread
    /// An exchange of states does not take over what the other side knows.
    case pushPullOneWay
    /// States are exchanged at joining alone.
    case pushPullNever
    /// The incarnation of a member is not taken over.
    case incarnationNotAdopted
    /// A member's new tags are not taken over.
    case metaNotUpdated

    // MARK: Gossip: members, events and keys
    /// A member that said that it leaves counts as failed.
    case leaveTakenForFailure
    /// A member that failed counts as one that left.
    case failureTakenForLeave
    /// A leave intent is not passed on.
    case leaveIntentNotSpread
    /// A join intent is not passed on.
    case joinIntentNotSpread
    /// A leave intent that is older than the member's return counts.
    case oldLeaveIntentCounts
    /// A join intent that is older than the member's leaving counts.
    case oldJoinIntentCounts
    /// A member that is said to leave does not object.
    case leaveNotRefuted
    /// The member clock does not follow what it hears.
    case clockNotWitnessed
    /// A clock that hears of its own time does not advance.
    case clockEqualNotWitnessed
    /// A departure is announced without advancing the clock.
    case clockNotIncremented
    /// An exchange of states takes those that left for members that returned.
    case leftToldAsJoined
    /// An intent that arrives before its member is forgotten.
    case bufferedIntentLost
    /// Failed members are never tried again.
    case failedNotReconnected
    /// Members that came back are forgotten with those that failed.
    case reapedAlive
    /// Members that failed or left are never forgotten.
    case reapedNeverPool
    /// An event is delivered as often as it is heard.
    case eventTwice
    /// Of two events of the same time one is lost.
    case eventOfSameTimeLost
    /// An event is not passed on.
    case eventNotSpread
    /// Events are sent without advancing the clock.
    case eventClockNotIncremented
    /// A key that is made the primary one does not encrypt.
    case primaryKeyNotMoved
    /// Messages are decrypted with the primary key alone.
    case onlyPrimaryOpens
    /// The primary key can be removed.
    case primaryKeyRemoved

    /// A change of a member's tags is told to nobody.
    case tagsNotTold
    // MARK: Agents: registrations and anti-entropy
    /// A registration waits for the next full synchronisation.
    case serviceNotSynced
    /// The answer to an older registration counts for a newer one.
    case answerSettlesNewer
    /// The answer to an older state of a check counts for a newer one.
    case answerSettlesNewerCheck
    /// The answer to a deregistration forgets a service that was registered again meanwhile.
    case deregistrationForgetsNew
    /// A registration that failed counts as done.
    case failedWriteSettles
    /// A deregistration that failed is forgotten.
    case failedDeletionForgotten
    /// What the catalog shows of services that the agent does not know stays.
    case unknownServiceStays
    /// What the catalog shows of checks that the agent does not know stays.
    case unknownCheckStays
    /// Anti-entropy removes the check that the leader keeps.
    case serfHealthRemoved
    /// A service that the catalog lost is not registered again.
    case missingServiceIgnored
    /// A check that the catalog lost is not registered again.
    case missingCheckIgnored
    /// A service counts as the same although its port differs.
    case portNotCompared
    /// A check counts as the same although its status differs.
    case statusNotCompared
    /// A pass sends the first difference alone.
    case oneWritePerPass
    /// A full synchronisation that failed is not tried again.
    case fullSyncOnce
    /// There is no synchronisation but the first.
    case noPeriodicSync
    /// A change during a synchronisation waits for the next one.
    case triggerLost
    /// A registration is answered before its file is durable.
    case registrationNotDurable
    /// Services that were registered are not restored after a start.
    case registrationNotLoaded
    /// Checks that were registered are not restored after a start.
    case checkNotLoaded
    /// A check begins as critical after a start, whatever the catalog says of it.
    case stateNotLoaded

    // MARK: Agents: checks
    /// An update of a TTL check does not start its time anew.
    case ttlNotRestarted
    /// A TTL check that is not updated stays as it is.
    case ttlNeverExpires
    /// A check turns critical one failure too early.
    case failureThresholdOff
    /// A check turns critical one failure too late.
    case failureThresholdLate
    /// Failures count on over a success in between.
    case failuresNotReset
    /// A check passes with its first success.
    case successThresholdIgnored
    /// A check is run once.
    case checkRunsOnce
    /// A check that fails keeps its status.
    case resultNotApplied
    /// A check that has failed once stays critical.
    case recoveryNotApplied
    /// A change of a check's status is not told to the catalog before the next full synchronisation.
    case statusNotTriggered
    /// An alias check does not follow its service.
    case aliasNotMarked
    /// The time since which a check is critical starts anew with every run.
    case criticalSinceReset
    /// A service whose check has been critical for too long is not removed.
    case criticalServiceStays
    /// A service is removed although its check has recovered.
    case passingServiceReaped

    // MARK: Leader: autopilot and the pool
    /// A server gets its vote as soon as it is healthy.
    case promotedAtOnce
    /// A server gets its vote although it is not healthy.
    case promotedUnhealthy
    /// A server never gets its vote.
    case neverPromoted
    /// The time since which a server is healthy goes on while it is not.
    case stableSinceNotReset
    /// More dead servers are removed than leave a quorum.
    case quorumRemoved
    /// Dead servers are never removed.
    case deadNeverRemoved
    /// A server that the pool takes for failed is removed although it follows.
    case liveServerRemoved
    /// The check of a member that failed stays passing.
    case failedNotMarked
    /// The check of a member that returned stays critical.
    case returnedNotMarked
    /// A member that left stays in the catalog.
    case leftNotRemoved
    /// A member that failed is removed from the catalog.
    case failedRemoved
    /// What happens to a member while it is being written is forgotten.
    case changesDuringWriteLost
    /// A new leader does not compare the catalog with the pool.
    case noReconciliation
    /// A server that left keeps its vote.
    case leftServerVotes

    // MARK: DNS and answers that are kept
    /// DNS names instances whose own check is critical.
    case dnsShowsCritical
    /// DNS names instances whose node is critical.
    case dnsIgnoresNodeChecks
    /// DNS leaves out instances with a warning.
    case dnsHidesWarning
    /// Client agents name critical instances in DNS.
    case dnsFetchedShowsCritical
    /// A prepared answer is given although the rows that it was made of have changed.
    case dnsPreparedNotCompared
    /// A prepared answer does not notice changes of checks.
    case dnsPreparedIgnoresChecks
    /// A prepared answer does not notice changes of nodes.
    case dnsPreparedIgnoresNodes
    /// DNS answers from a follower's state where that is forbidden.
    case dnsStaleForbidden
    /// DNS answers however old a server's state is.
    case dnsMaxStaleIgnored
    /// DNS answers lose the upper half of ports.
    case dnsPortTruncated
    /// DNS gives the address of the node where the service has its own.
    case dnsNodeAddress
    /// DNS gives instances with a warning the weight of passing ones.
    case dnsWeightOfWarning
    /// DNS distinguishes upper and lower case in tags.
    case dnsCaseSensitive
    /// An answer that was kept is given although the state has changed.
    case keptAnswerOfOldState
    /// An answer that was kept is given to a question that differs in its parameters.
    case keptAnswerOfOtherTarget
    /// An answer that was kept is given after the lease is over.
    case keptAnswerBeyondLease

    // MARK: Where requests are carried out
    /// The leader answers default reads without looking at its lease.
    case leaseIgnored
    /// The leader's core answers default reads without looking at its lease.
    case leaseIgnoredInCore
    /// A consistent read is answered like a default one.
    case consistentAsDefault
    /// The leader's core answers consistent reads like default ones.
    case consistentAsDefaultInCore
    /// A follower answers default reads from its own state.
    case defaultAsStale
    /// A server that has not caught up with anybody answers stale reads.
    case staleOfNewServer
    /// A leader takes itself for the only voter.
    case soleVoterAssumed
    /// Answers do not say at least index 1.
    case indexZero
    /// A write that was refused with the leadership is never answered.
    case lostWriteAnswered
    /// What waits for a leader is not tried again when there is one.
    case heldNotRetried
}

#if PLANTED
    extension PlantedBug: CaseIterable {
    }

    /// Which mistake is made in this process.
    public enum PlantedBugs {
        nonisolated(unsafe) fileprivate static var selected: PlantedBug?

        public static var names: [String] { PlantedBug.allCases.map { "\($0)" } }

        /// Switches one on before anything runs; false if there is none of that name.
        public static func select(_ name: String) -> Bool {
            selected = PlantedBug.allCases.first { "\($0)" == name }
            return selected != nil
        }
    }

    /// Whether this mistake is made.
    func planted(_ bug: PlantedBug) -> Bool { PlantedBugs.selected == bug }
#else
    /// Whether this mistake is made: never.
    @inline(__always) func planted(_ bug: PlantedBug) -> Bool { false }
#endif

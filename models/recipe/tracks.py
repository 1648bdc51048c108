"""The demo's music: fourteen library tracks of clearly different moods, and the bed under the demo clip."""

from compose import Style

LIBRARY = [
    Style("Quiet lake at dawn", "ambient", 72, 4, "major", 60, {"A": [1, 3, 4, 5], "B": [6, 4, 2, 5]}, "iABAo", lead=73, lead_octave=1,
          lead_density=0.25, chords=89, arpeggio=46, bass=43, sevenths=True, loud=0.82, seed=1, mood="calm"),
    Style("March of the dawn knights", "orchestral", 132, 4, "minor", 57, {"A": [1, 6, 3, 7], "B": [4, 1, 6, 5]}, "iAABBAo", lead=56,
          lead_density=0.5, counter=60, chords=48, chord_pattern="eighths", bass=43, bass_pattern="pulse", drums="march", loud=1.1,
          seed=2, mood="heroic battle"),
    Style("Something behind the door", "suspense", 96, 4, "phrygian", 55, {"A": [1, 2, 1, 7], "B": [1, 2, 3, 2]}, "iAABAo", lead=45,
          lead_octave=1, lead_density=0.35, chords=44, chord_pattern="pad", arpeggio=45, arpeggio_step=0.5, bass=43,
          bass_pattern="eighths", drums="taiko", loud=0.95, seed=3, mood="tense"),
    Style("The letter she never sent", "piano", 66, 4, "minor", 57, {"A": [1, 6, 3, 7], "B": [4, 1, 2, 5]}, "iABAo", lead=0, lead_octave=1,
          lead_density=0.35, counter=42, chords=49, arpeggio=0, arpeggio_step=0.5, bass=None, loud=0.78, seed=4, mood="sad"),
    Style("Mushroom picnic", "game", 126, 4, "major", 60, {"A": [1, 4, 5, 1], "B": [6, 2, 4, 5]}, "iAABAo", lead=75, lead_octave=1,
          lead_density=0.75, counter=68, chords=45, chord_pattern="off", bass=32, bass_pattern="fifth", drums="festive", legato=0.55,
          loud=0.95, seed=5, mood="playful"),
    Style("Lanterns in the fog", "mystery", 84, 4, "dorian", 59, {"A": [1, 4, 1, 7], "B": [3, 4, 6, 7]}, "iABAo", lead=11, lead_octave=1,
          lead_density=0.35, chords=91, arpeggio=8, arpeggio_step=0.5, bass=32, sevenths=True, loud=0.85, seed=6, mood="mysterious"),
    Style("Crown of the champion", "orchestral", 112, 4, "major", 58, {"A": [1, 5, 6, 4], "B": [4, 5, 3, 6]}, "iABAAo", lead=56,
          lead_density=0.45, counter=61, chords=48, chord_pattern="beats", arpeggio=46, arpeggio_step=0.25, bass=58,
          bass_pattern="fifth", drums="march", loud=1.1, seed=7, mood="triumphant"),
    Style("Below the last stair", "dark ambient", 60, 4, "phrygian", 50, {"A": [1, 1, 2, 1], "B": [1, 7, 2, 1]}, "iABo", lead=77, lead_octave=1,
          lead_density=0.1, chords=95, chord_pattern="drone", counter=52, bass=43, loud=0.8, seed=8, mood="dark ambient"),
    Style("Pixel pursuit", "chiptune", 164, 4, "harmonic", 57, {"A": [1, 7, 6, 5], "B": [4, 7, 3, 5]}, "iAABBAABo", lead=80, lead_octave=1,
          lead_density=0.95, chords=80, chord_pattern="stabs", arpeggio=81, arpeggio_step=0.25, bass=87, bass_pattern="octave",
          drums="chase", legato=0.8, loud=1.0, seed=9, chip=True, mood="chase"),
    Style("Rain on the studio window", "lo-fi", 78, 4, "dorian", 58, {"A": [2, 5, 1, 6], "B": [4, 3, 2, 5]}, "iAABAo", lead=4, lead_octave=1,
          lead_density=0.35, chords=5, chord_pattern="lofi", bass=33, bass_pattern="sync", drums="lofi", sevenths=True, swing=0.6,
          loud=0.85, seed=10, mood="lo-fi"),
    Style("Waltz of the paper moon", "waltz", 150, 3, "major", 60, {"A": [1, 6, 2, 5], "B": [4, 1, 2, 5]}, "iAABBAo", lead=40, lead_octave=1,
          lead_density=0.4, counter=71, chords=0, chord_pattern="waltz", bass=43, drums="waltz", bars=8, seed=11, mood="waltz"),
    Style("Harvest square", "folk dance", 138, 4, "mixolydian", 62, {"A": [1, 7, 4, 1], "B": [5, 4, 1, 7]}, "iAABBAo", lead=110, lead_octave=1,
          lead_density=0.8, counter=21, chords=25, chord_pattern="strum", bass=32, bass_pattern="fifth", drums="festive", seed=12,
          mood="festive"),
    Style("Iron gate overdrive", "rock", 148, 4, "minor", 52, {"A": [1, 1, 6, 7], "B": [6, 7, 1, 5]}, "iAABAo", lead=30, lead_octave=2,
          lead_density=0.6, chords=29, chord_pattern="eighths", bass=34, bass_pattern="eighths", drums="rock", loud=1.1, seed=13,
          mood="aggressive"),
    Style("Neon boulevard", "electronic", 120, 4, "minor", 57, {"A": [6, 7, 1, 1], "B": [4, 6, 1, 7]}, "iABAAo", lead=81, lead_octave=1,
          lead_density=0.5, chords=90, arpeggio=81, arpeggio_step=0.25, bass=38, bass_pattern="octave", drums="four", seed=14,
          mood="cool and driving"),
]

# Lies under the demo clip and is in no library.
CLIP_BED = Style("Arena bed", "orchestral", 140, 4, "harmonic", 55, {"A": [1, 6, 4, 5], "B": [6, 7, 1, 5]}, "iABAo", lead=61, lead_density=0.5,
                 counter=56, chords=48, chord_pattern="eighths", arpeggio=46, arpeggio_step=0.5, bass=43, bass_pattern="pulse",
                 drums="taiko", loud=1.05, seed=77)

SECONDS = {"Below the last stair": 58, "Quiet lake at dawn": 58, "The letter she never sent": 60}

import {
  kindOfWord,
  numberOfWord,
  PATH_NUMBER_MAX,
  pathWord,
  WORD_BEAT,
  WORD_PATH_GONE,
  WORD_PATH_OVER,
} from "./words.js"

it.each([WORD_PATH_OVER, WORD_PATH_GONE])(
  "a word of kind %d names a path and is no beat",
  (kind) => {
    for (const number of [0, 1, 77, PATH_NUMBER_MAX]) {
      const word = pathWord(kind, number)
      expect([kindOfWord(word), numberOfWord(word)]).toEqual([kind, number])
      expect(word).toBeLessThan(WORD_BEAT)
    }
  },
)

it("a beat is no word of a path", () => {
  expect([WORD_PATH_OVER, WORD_PATH_GONE]).not.toContain(kindOfWord(WORD_BEAT))
})

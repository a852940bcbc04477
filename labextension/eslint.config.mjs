import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(...tseslint.configs.recommended, reactHooks.configs['recommended-latest'], {
  rules: {
    complexity: ['error', 12],
    curly: 'error',
    eqeqeq: 'error',
    'max-lines': ['error', 350],
    'max-lines-per-function': ['error', 50],
    'no-console': ['error', { allow: ['warn', 'error'] }],
    'prefer-const': 'error',
    '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
    // JupyterLab writes interfaces with an I and fills empty methods of its base classes.
    '@typescript-eslint/no-empty-function': 'off'
  }
}, {
  files: ['src/__tests__/**'],
  rules: { 'max-lines-per-function': 'off' }
});
